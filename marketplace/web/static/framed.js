// Inside another site: tell its page, and no other, how tall this one is.
"use strict";

function tell() {
  const { height } = document.documentElement.getBoundingClientRect();
  parent.postMessage({ height: Math.ceil(height) }, document.body.dataset.site);
}

if (parent !== window) {
  tell(); // before the frame is shown browsers observe nothing in it
  new ResizeObserver(tell).observe(document.documentElement);
}
