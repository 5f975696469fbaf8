// The quote form adds itself up, warns of too few days, and keeps a draft of itself.
// Without this the buttons "Add up" and "Save as a draft" do the same; the server reckons what counts.
"use strict";

const form = document.getElementById("quote");
const box = document.getElementById("sum");
const field = (name) => form.elements.namedItem(name);
const typed = (name) => (field(name) ? field(name).value.trim() : "");

// Money is whole cents, as BigInt: no amount is ever a float.

function cents(text) {
  let bare = text.trim().replace(/^\$/, "").trim();
  if (/^[0-9]{1,3}(,[0-9]{3})+(\.[0-9]{1,2})?$/.test(bare)) bare = bare.replaceAll(",", "");
  const parts = /^([0-9]{1,9})(?:\.([0-9]{1,2}))?$/.exec(bare);
  return parts && BigInt(parts[1]) * 100n + BigInt((parts[2] || "").padEnd(2, "0"));
}

function money(amount) {
  const parts = new Intl.NumberFormat(document.documentElement.lang).formatToParts(1234567.8);
  const mark = (type) => parts.find((part) => part.type === type).value;
  const whole = String(amount / 100n).replace(/\B(?=([0-9]{3})+$)/g, mark("group"));
  const small = String(amount % 100n).padStart(2, "0");
  return `${typed("currency")} ${whole}${mark("decimal")}${small}`.trim();
}

function withTax(amount) {
  const parts = /^([0-9]{1,3})(?:\.([0-9]{1,2}))?$/.exec(typed("tax_rate").replace(/\s*%$/, ""));
  if (!parts) return null;
  const rate = BigInt(parts[1]) * 100n + BigInt((parts[2] || "").padEnd(2, "0"));
  const unit = box.dataset.withoutCents.split(",").includes(typed("currency").toUpperCase()) ? 100n : 1n;
  return rate > 10000n ? null : ((amount * (10000n + rate) + 5000n * unit) / (10000n * unit)) * unit;
}

function isPartOfIt(input) {
  if (input.name === "fees.travel") return typed("travel_basis") !== "included";
  const phase = input.closest(".phase");
  if (!phase) return true;
  return [...phase.querySelectorAll("input, select, textarea")].some((each) =>
    each.type === "checkbox" ? each.checked : each.value.trim());
}

function addUp() {
  let total = null; // While nothing is stated: no amount is ever shown as zero instead.
  const unstated = [];
  const unreadable = [];
  for (const input of form.querySelectorAll("[data-times]")) {
    if (!isPartOfIt(input)) continue;
    const amount = cents(input.value);
    if (!input.value.trim()) unstated.push(input.dataset.said);
    else if (amount === null) unreadable.push(input.dataset.said);
    else total = (total ?? 0n) + amount * BigInt(input.dataset.times);
  }
  const left = [];
  const words = box.dataset;
  if (unreadable.length) left.push(words.unreadable.replace("{names}", unreadable.join("; ")));
  if (unstated.length) left.push(words.unstated.replace("{names}", unstated.join("; ")));
  const taxed = total === null ? null : withTax(total);
  say("sum-total", total === null ? words.noTotal : money(total), "strong");
  say("sum-with-tax", taxed === null ? words.noTax : money(taxed));
  say("sum-without", left.join(". ") || words.nothing);
}

function say(id, text, inside = null) {
  const place = document.getElementById(id);
  const target = inside ? place.querySelector(inside) : place;
  if (target.textContent !== text) target.textContent = text;
}

// Days are compared in halves.

function halves(name) {
  const text = typed(name);
  return /^[0-9]{1,9}(\.[0-9]{1,6})?$/.test(text) && (Number(text) * 2) % 1 === 0 ? Number(text) * 2 : null;
}

function warn() {
  const place = document.getElementById("too-few");
  if (!place) return;
  const counted = typed("effective_personnel").replace(/[\s,]/g, "");
  const isOther = counted !== "" && counted !== place.dataset.personnel;
  const [one, two] = [halves("audit_days.stage_1"), halves("audit_days.stage_2")];
  const days = { initial: one === null || two === null ? null : one + two };
  for (const line of ["surveillance_1", "surveillance_2", "recertification"]) days[line] = halves(`audit_days.${line}`);
  for (const text of place.children) {
    const of = text.dataset.of;
    if (of === "counted") text.hidden = !isOther;
    else text.hidden = isOther || days[of] === null || days[of] >= Number(place.dataset[of.split("_")[0]]) * 2;
  }
}

// The draft is saved a while after the last key, and when the page is left.

const AFTER_TYPING = 3000;
const AFTER_FAILING = 15000;
const KEPT_ALIVE = 60000; // What browsers finish sending for a page that is gone: 64 KiB.
let isSaving = false;
let timer = null;
let isStopped = form.dataset.saves === "never";
let saved = form.dataset.saves === "soon" ? null : snapshot();

function snapshot() {
  const values = new FormData(form);
  values.delete("draft");
  values.delete("file"); // It is sent by a button.
  return JSON.stringify([...values]);
}

function later(wait) {
  clearTimeout(timer);
  if (!isStopped) timer = setTimeout(save, wait);
}

async function save() {
  const now = snapshot();
  if (isStopped || isSaving || now === saved) return;
  isSaving = true;
  let wait = AFTER_TYPING;
  try {
    const values = new FormData(form);
    values.delete("file");
    const body = new URLSearchParams(values).toString();
    const answer = await fetch(form.dataset.draft, {
      method: "POST",
      body,
      headers: { Accept: "application/json", "Content-Type": "application/x-www-form-urlencoded" },
      redirect: "manual",
      keepalive: body.length < KEPT_ALIVE,
    });
    if (answer.type === "opaqueredirect" || answer.status === 400 || answer.status === 401) {
      say("draft-said", form.dataset.signedOut);
      isStopped = true; // No draft of this page is taken any more; the buttons ask to sign in.
      return;
    }
    if (answer.status !== 200 && answer.status !== 409) throw new Error(answer.status);
    const told = await answer.json();
    say("draft-said", told.said);
    if (answer.status === 200) {
      saved = now;
      field("draft").value = told.draft;
    } else {
      isStopped = true; // Somebody else saved, or the time is over: a person decides.
    }
  } catch {
    say("draft-said", form.dataset.failed);
    wait = AFTER_FAILING;
  } finally {
    isSaving = false;
  }
  if (snapshot() !== saved) later(wait);
}

form.addEventListener("input", () => {
  addUp();
  warn();
  later(AFTER_TYPING);
});
form.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return; // The file is too large, so nothing is sent.
  isStopped = true; // What is sent now is newer than any draft.
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") save();
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // Kept by the browser: others may have saved since.
});
addUp();
warn();
if (saved === null) later(AFTER_TYPING);
