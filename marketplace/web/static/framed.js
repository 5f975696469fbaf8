// Inside another site: tell its page, and no other, how tall this one is.
"use strict";

if (parent !== window) {
  new ResizeObserver(() => {
    const { height } = document.documentElement.getBoundingClientRect();
    parent.postMessage({ height: Math.ceil(height) }, document.body.dataset.site);
  }).observe(document.documentElement);
}
