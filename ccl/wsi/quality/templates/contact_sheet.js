"use strict";
const form = document.querySelector(".controls");
const gallery = document.querySelector("#slides");
const cards = Array.from(gallery.children);
const names = new Intl.Collator("en", { numeric: true });

function compare(key, direction, one, other) {
  const [a, b] = [one.dataset[key], other.dataset[key]];
  if (key === "name" || key === "patient") return direction * names.compare(a, b);
  // Excluded slides come first in every order, and so do slides without the measure.
  const excluded = (other.dataset.status === "excluded") - (one.dataset.status === "excluded");
  return excluded || (b === "") - (a === "") || direction * (a - b);
}

function update() {
  const [key, direction] = form.elements.sort.value.split(":");
  const [field, value] = form.elements.show.value.split(":");
  const words = form.elements.find.value.trim().toLowerCase();
  cards.sort((one, other) => compare(key, Number(direction), one, other) || names.compare(one.dataset.name, other.dataset.name));
  for (const card of cards) {
    const text = `${card.dataset.name} ${card.dataset.patient}`.toLowerCase();
    card.hidden = (field !== "" && card.dataset[field] !== value) || !text.includes(words);
  }
  gallery.append(...cards);
  const shown = cards.filter((card) => !card.hidden).length;
  form.querySelector("output").value = `${shown} of ${cards.length} slides`;
}

form.addEventListener("input", update);
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
update();
