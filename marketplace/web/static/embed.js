// Puts the lead form into another site's page, where this script's tag stands, in a frame that grows
// to what it shows. `/embed/how` explains it.
(() => {
  "use strict";
  const script = document.currentScript ?? document.querySelector('script[src$="/embed.js"]');
  const { into, scheme = "auto", title = "Ask for up to three quotes for your ISO project" } = script.dataset;
  const ours = new URL(script.src).origin;
  const frame = document.createElement("iframe");
  frame.src = `${ours}/embed?${new URLSearchParams({ site: location.origin, scheme })}`;
  frame.title = title;
  frame.scrolling = "no";
  frame.referrerPolicy = "strict-origin";
  // It may do what a form needs, and open links beside this page, never in its place.
  frame.sandbox = "allow-forms allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox";
  // As tall as the window, so that what it pushes down while it grows is out of sight; and not seen
  // before it has said how tall it is.
  const style = { display: "block", width: "100%", height: "100vh", border: "0", visibility: "hidden" };
  Object.assign(frame.style, style);

  let isThere = false;
  addEventListener("message", ({ origin, source, data }) => {
    if (origin !== ours || source !== frame.contentWindow || !Number.isFinite(data?.height)) return;
    isThere = true;
    frame.style.visibility = "";
    frame.style.height = `${Math.min(Math.max(data.height, 0), 20000)}px`;
  });

  // The answer to a form that was sent begins at the top, where nobody is who pressed its button.
  let pages = 0;
  frame.addEventListener("load", () => {
    pages += 1;
    if (pages > 1) frame.scrollIntoView();
    // Where it may not be shown, or is not reached, a link does as well.
    else setTimeout(() => isThere || frame.replaceWith(link()), 5000);
  });

  function link() {
    const made = document.createElement("a");
    made.href = `${ours}/`;
    made.textContent = title;
    return made;
  }

  function place() {
    if (into) document.querySelector(into)?.append(frame);
    else if (document.body.contains(script)) script.after(frame);
    else document.body.append(frame);
  }

  const mustWait = into || !document.body?.contains(script);
  if (mustWait && document.readyState === "loading") addEventListener("DOMContentLoaded", place);
  else place();
})();
