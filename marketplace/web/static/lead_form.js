// The lead form, quicker: standards found by words, numbers checked while they are typed, and what
// was typed kept if the page is left. All of it works without.
"use strict";

const form = document.getElementById("lead-form");
const KEY = "lead-form";
const A_WEEK = 7 * 24 * 3600 * 1000;

// Where the browser keeps things may be closed to us; then nothing is kept.
function kept(store) {
  try {
    const found = JSON.parse(window[store].getItem(KEY));
    return found && Date.now() - found.at < A_WEEK ? found.fields : {};
  } catch {
    return {};
  }
}

function keep(store, fields) {
  try {
    if (fields) window[store].setItem(KEY, JSON.stringify({ at: Date.now(), fields }));
    else window[store].removeItem(KEY);
  } catch { /* as above */ }
}

function forget() {
  keep("localStorage");
  keep("sessionStorage");
}

// What may name somebody is gone once the page is closed, and the rest after a week. Consent is given
// anew each time, and what is hidden belongs to the page.
const IS_PERSONAL = /^(contact|consultants_used)\.|^company\.(?!country)|^(notes|region_written)$/;

function controls() {
  return [...form.elements].filter(
    (each) => each.name && each.type !== "hidden" && each.tabIndex >= 0 && !each.name.startsWith("consent"));
}

// Fields for a region; each knows the state that its postcode ticked.
function written() {
  return [...form.querySelectorAll("[name=region_written]")];
}

function keepAll() {
  const stores = { localStorage: {}, sessionStorage: {} };
  for (const each of controls()) {
    const fields = stores[IS_PERSONAL.test(each.name) ? "sessionStorage" : "localStorage"];
    const values = (fields[each.name] ??= []);
    if (each.type !== "checkbox" && each.type !== "radio") values.push(each.value);
    else if (each.checked) values.push(each.value);
  }
  stores.sessionStorage.guessed = written().map((each) => each.dataset.guessed ?? "");
  for (const [store, fields] of Object.entries(stores)) keep(store, fields);
}

function bringBack() {
  const fields = { ...kept("localStorage"), ...kept("sessionStorage") };
  const seen = {};
  let isBack = false;
  for (const each of controls()) {
    const values = fields[each.name];
    if (!values) continue;
    const isTick = each.type === "checkbox" || each.type === "radio";
    const before = isTick ? each.checked : each.value;
    if (isTick) each.checked = values.includes(each.value);
    else each.value = values[(seen[each.name] = (seen[each.name] ?? -1) + 1)] ?? "";
    if (before === (isTick ? each.checked : each.value)) continue;
    isBack = true;
    const folded = each.closest("details");
    if (folded && each.type !== "search") folded.open = true;
  }
  written().forEach((each, n) => {
    if (fields.guessed?.[n]) each.dataset.guessed = fields.guessed[n];
  });
  if (isBack) form.querySelector(".kept [role=status]").textContent = form.dataset.kept;
}

// "ISO9001:2015" is 9001, and one laboratory is among the laboratories.
function words(text) {
  const bare = text.toLowerCase().replace(/:\d{4}/g, " ").replace(/([a-z])(\d)/g, "$1 $2");
  return bare.split(/[^\p{L}\d]+/u).filter(Boolean);
}

function stem(word) {
  return word.length > 4 ? word.replace(/(ies|y|es|s)$/, "") : word.replace(/^(\p{L}{3})s$/u, "$1");
}

function filterStandards() {
  const box = document.getElementById("standards-filter");
  const said = document.getElementById("standards-found");
  const passedOver = new Set(words(box.dataset.passedOver));
  const folded = [...box.closest("fieldset").querySelectorAll("details")].find((each) => each.querySelector(".choice"));
  const choices = [...box.closest("fieldset").querySelectorAll(".choice")].map((each) => ({
    each,
    // Where to turn instead names other standards, by which this one is not meant to be found.
    words: words(`${each.closest("[data-elsewhere]") ? each.querySelector("label").textContent : each.textContent} ${each.dataset.words}`),
  }));
  let wasOpen = folded.open;
  let isFiltered = false;

  function show() {
    const sought = words(box.value).filter((word) => !passedOver.has(word)).map(stem);
    if (!isFiltered) wasOpen = folded.open;
    isFiltered = sought.length > 0;
    // "Quality and environment" is two standards: where none has all of the words, any of them will do.
    const has = (words) => (word) => words.some((own) => own.startsWith(word));
    const isOne = choices.some(({ words }) => sought.every(has(words)));
    let fit = 0;
    for (const { each, words } of choices) {
      const fits = isOne ? sought.every(has(words)) : sought.some(has(words));
      fit += fits;
      each.hidden = !fits && !each.querySelector("input").checked;
    }
    for (const group of folded.querySelectorAll("fieldset")) group.hidden = !group.querySelector(".choice:not([hidden])");
    folded.open = isFiltered ? Boolean(folded.querySelector(".choice:not([hidden])")) : wasOpen;
    const { say, one, some, none } = box.dataset;
    said.textContent = !isFiltered ? say : fit === 0 ? none : fit === 1 ? one : some.replace("{n}", fit);
  }

  box.addEventListener("input", show);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}

// Ask the server, whose rules these are. Where it does not answer, sending the form will tell.
async function ask(address, typed) {
  const country = form.elements["company.country"].value;
  try {
    const answer = await fetch(`${address}?${new URLSearchParams({ country, typed })}`);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function checkNumber() {
  const field = form.elements["company.registration_number"];
  const said = document.getElementById("number-checked");
  let timer, turn = 0;

  // While somebody still types, nothing is wrong yet, and nothing is read out.
  async function check(isDone) {
    const mine = ++turn;
    const typed = field.value.trim();
    const answer = typed ? await ask(form.dataset.check, typed) : null;
    if (mine !== turn) return;
    const isWrong = isDone && Boolean(answer?.wrong);
    // What was said when the form was sent is no longer so, or is said below.
    if (!typed || (answer && (isWrong || !answer.wrong))) {
      document.getElementById(`${field.id}-problem`)?.remove();
      field.closest(".field").classList.toggle("wrong", isWrong);
    }
    said.setAttribute("aria-live", isDone ? "polite" : "off");
    said.textContent = answer && (isWrong || !answer.wrong) ? answer.says : "";
    said.classList.toggle("problem", isWrong);
    field.toggleAttribute("aria-invalid", isWrong);
    if (isWrong) field.setAttribute("aria-invalid", "true");
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, 500, false);
  });
  for (const each of [field, form.elements["company.country"]]) {
    each.addEventListener("change", () => {
      clearTimeout(timer);
      check(true);
    });
  }
}

// A postcode ticks its state. One that is changed unticks that again, unless somebody ticked it.
function readPostcodes() {
  const said = document.getElementById("region_written-understood");
  const ticks = [...form.querySelectorAll("[name=regions]")];
  const tickOf = (code) => ticks.find((each) => each.value === code);
  const isGuessed = (code) => written().some((each) => each.dataset.guessed === code);

  function takeBack(field) {
    const { guessed } = field.dataset;
    delete field.dataset.guessed;
    if (guessed && !isGuessed(guessed)) tickOf(guessed).checked = false;
  }

  for (const field of written()) {
    field.addEventListener("change", async () => {
      const typed = field.value;
      takeBack(field);
      said.textContent = "";
      const answer = /\d{4}\s*$/.test(typed) ? await ask(form.dataset.checkRegion, typed) : null;
      if (!answer || field.value !== typed) return;
      const tick = tickOf(answer.region);
      if (tick && (!tick.checked || isGuessed(answer.region))) {
        tick.checked = true;
        field.dataset.guessed = answer.region;
      }
      said.textContent = answer.says;
      keepAll();
    });
  }

  // In another country a postcode is of another region, or of none.
  form.elements["company.country"].addEventListener("change", () => {
    for (const field of written()) if (field.value.trim()) field.dispatchEvent(new Event("change"));
  });

  // Whoever ticks it means it; whoever unticks it does not mean the postcode, which would tick it
  // once more when the form is sent.
  for (const tick of ticks) {
    tick.addEventListener("change", () => {
      for (const field of written()) {
        if (field.dataset.guessed !== tick.value) continue;
        delete field.dataset.guessed;
        if (!tick.checked) field.value = said.textContent = "";
      }
    });
  }
}

if (document.querySelector("[data-sent]")) forget();

if (form) {
  // A browser moves to it by itself, unless the page is inside another site.
  document.querySelector(".summary")?.focus();
  const isAnswered = "answered" in form.dataset;
  const notice = form.querySelector(".kept [role=status]");
  const about = notice.textContent;
  if (!isAnswered) bringBack();
  filterStandards();
  checkNumber();
  readPostcodes();
  form.addEventListener("input", keepAll);
  form.addEventListener("change", keepAll);
  form.addEventListener("reset", () => {
    forget();
    if (isAnswered) location.assign(location.href);
    // Once the fields are empty, what was said of them is no longer so.
    setTimeout(() => {
      document.getElementById("standards-filter").dispatchEvent(new Event("input"));
      form.elements["company.registration_number"].dispatchEvent(new Event("change"));
      document.getElementById("region_written-understood").textContent = "";
      for (const each of written()) delete each.dataset.guessed;
      notice.textContent = about;
    });
  });
}
