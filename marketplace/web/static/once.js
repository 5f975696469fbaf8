// A form whose answer is shown once, or that gives the session another token, is sent once: of a
// double click the second click does nothing.
"use strict";

for (const form of document.querySelectorAll("form[data-once]")) {
  let isSent = false;
  form.addEventListener("submit", (event) => {
    if (isSent) event.preventDefault();
    isSent = true;
  });
  window.addEventListener("pageshow", () => { isSent = false; });
}
