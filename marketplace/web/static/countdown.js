// Counts down what a page says in words: "3 hours 12 minutes left". Until when stands beside it, in
// words that stay true without this script.

const MINUTE = 60_000;
const language = document.documentElement.lang;

function said(n, unit) {
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(n);
}

// As the server says it (`span` in words.py): rounded down, in hours up to two days.
function inWords(minutes) {
  const days = minutes >= 2880 ? Math.floor(minutes / 1440) : 0;
  const hours = Math.floor((minutes - days * 1440) / 60);
  const parts = days ? [[days, "day"], [hours, "hour"]] : [[hours, "hour"], [minutes % 60, "minute"]];
  return parts.filter(([n]) => n).map(([n, unit]) => said(n, unit)).join(" ");
}

function tick() {
  for (const element of document.querySelectorAll("[data-until]")) {
    const minutes = Math.floor((Date.parse(element.dataset.until) - Date.now()) / MINUTE);
    const { left, soon, over } = element.dataset;
    const text = minutes < 0 ? over : minutes < 1 ? soon : left.replace("{time}", inWords(minutes));
    if (element.textContent !== text) element.textContent = text;
  }
}

tick();
setInterval(tick, MINUTE / 4);
document.addEventListener("visibilitychange", tick);
