// Elements in one line, so that the views read as what they show.

/** Make an element: `make("p", { class: "x", onclick }, "text", child)`; null children are left out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Set text only where it changed: an unchanged node isn't read out or laid out again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
