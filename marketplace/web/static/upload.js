// Says before a form is sent that a file is too large for it; the server says it as well.
"use strict";

for (const input of document.querySelectorAll("input[type=file][data-at-most]")) {
  const field = input.closest(".field");
  const said = document.createElement("p");
  said.className = "problem";
  said.id = `${input.id}-too-large`;
  said.setAttribute("role", "alert");
  said.hidden = true;
  const described = input.getAttribute("aria-describedby") || "";

  const check = () => {
    const [file] = input.files;
    const isTooLarge = Boolean(file) && file.size > Number(input.dataset.atMost);
    said.hidden = !isTooLarge;
    said.textContent = isTooLarge ? input.dataset.tooLarge : "";
    field.classList.toggle("wrong", isTooLarge);
    input.setAttribute("aria-invalid", String(isTooLarge));
    input.setAttribute("aria-describedby", isTooLarge ? `${described} ${said.id}`.trim() : described);
    return isTooLarge;
  };

  input.before(said);
  input.addEventListener("change", () => {
    document.getElementById(`${input.id}-problem`)?.remove(); // Of the file before this one.
    check();
  });
  input.form.addEventListener("submit", (event) => {
    if (!check()) return;
    event.preventDefault();
    input.focus();
  });
}
