// Signs of themes and flags. A theme has its own pictogram, its family's shape and a colour; a flag has a shape and a word: nothing is
// told by colour alone.

const NS = "http://www.w3.org/2000/svg";

const CIRCLE = '<circle cx="12" cy="12" r="10.5"/>';
const SQUARE = '<rect x="1.8" y="1.8" width="20.4" height="20.4" rx="5.5"/>';
const HEXAGON = '<path d="M9.9 1.6a4.200 4.200 0 0 1 4.200 0l5.300 3a4.200 4.200 0 0 1 2.100 3.700v7.400a4.200 4.200 0 0 1-2.100 3.700l-5.300 3a4.200 4.200 0 0 1-4.200 0l-5.300-3a4.200 4.200 0 0 1-2.100-3.700V8.300a4.200 4.200 0 0 1 2.100-3.700z"/>';

export const THEMES = {
  mobility: { colour: "#17803f", shape: SQUARE, lines: '<rect x="7" y="6" width="10" height="9.800" rx="1.800"/><path d="M7 11.500h10M9.300 18v-1.800M14.700 18v-1.800"/>' },
  parking: { colour: "#2a5fd0", shape: SQUARE, lines: '<path d="M9.700 17.800V6.600h3.300a3.250 3.250 0 0 1 0 6.500H9.700" stroke-width="2.200"/>' },
  border: { colour: "#6d4aa8", shape: SQUARE, lines: '<path d="M5.800 9h12.400v3.600H5.800zM8 12.600v5M16 12.600v5M9.200 12.300l2-3M13 12.300l2-3"/>' },
  energy: { colour: "#b05a06", shape: HEXAGON, fills: '<path d="M13.200 5.200 7.800 13h3.500l-.8 5.800L16 11h-3.600z"/>' },
  heat: { colour: "#c0362c", shape: HEXAGON, fills: '<path d="M12.300 5c.5 3.100 4 4.400 4 8.300a4.300 4.300 0 0 1-8.600 0c0-1.900 1-3 1.800-4 .3 1 .8 1.500 1.400 1.800.2-2.200 0-4.200 1.400-6.100z"/>' },
  air: { colour: "#0d7268", shape: CIRCLE, lines: '<path d="M5.800 10.200h7.600a2 2 0 1 0-1.900-2.600M5.800 13.100h10.300a2 2 0 1 1-1.900 2.600M5.800 16h4.600"/>' },
  noise: { colour: "#a3327f", shape: CIRCLE, lines: '<path d="M6.500 10.500v3M9.250 7.800v8.400M12 9.600v4.800M14.750 6.600v10.800M17.500 10v4"/>' },
  weather: { colour: "#0b76b8", shape: CIRCLE, lines: '<circle cx="12" cy="12" r="2.900"/><path d="M12 5.600v1.300M12 17.100v1.300M5.600 12h1.300M17.100 12h1.300M7.500 7.500l.9.9M15.600 15.600l.9.9M7.500 16.500l.9-.9M15.600 8.400l.9-.9"/>' },
  water: { colour: "#1d4f91", shape: CIRCLE, lines: '<path d="M5.500 10c1.600-1.600 2.800-1.600 4.400 0s2.800 1.600 4.400 0 2.800-1.600 4.400 0M5.500 14.200c1.600-1.600 2.800-1.600 4.400 0s2.800 1.600 4.400 0 2.800-1.600 4.400 0"/>' },
  indoor: { colour: "#7a5a36", shape: CIRCLE, lines: '<path d="m6.200 12 5.800-5.300 5.800 5.300M8.200 10.600v6.600h7.600v-6.600"/>' },
  other: { colour: "#5b6470", shape: CIRCLE, fills: '<circle cx="12" cy="12" r="2.800"/>' },
};

export const themeOf = (station) => (station.theme in THEMES ? station.theme : "other");

function inside(theme) {
  const { colour, shape, lines = "", fills = "" } = THEMES[theme];
  return (
    `<g fill="${colour}">${shape}</g>` +
    `<g fill="none" stroke="#fff" stroke-width="1.700" stroke-linecap="round" stroke-linejoin="round">${lines}</g><g fill="#fff">${fills}</g>`
  );
}

/** The sign of a theme as an element, decorative: its word stands beside it. */
export const themeSign = (theme) => sign("sign", inside(theme));

function sign(name, content) {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", name);
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = content;
  return svg;
}

/** The same as a picture for the map, with a light rim that parts it from the ground. */
export function themePicture(theme, rim) {
  const { shape } = THEMES[theme];
  return picture(`<g fill="none" stroke="${rim}" stroke-width="2.600" stroke-linejoin="round">${shape}</g>${inside(theme)}`, "-1.5 -1.5 27 27");
}

export const FLAGS = {
  1: '<circle class="ground" cx="8" cy="8" r="7"/><path class="line" d="m4.800 8.300 2.300 2.300 4.200-4.700"/>',
  2: '<circle class="open" cx="8" cy="8" r="5.800"/>',
  3: '<path class="ground" d="M8 1.300 15.200 14H.8z"/><path class="line" d="M8 5.800v3.600M8 11.700v.1"/>',
  4: '<rect class="ground" x="1.500" y="1.500" width="13" height="13" rx="2.500"/><path class="line" d="m5.300 5.300 5.400 5.400M10.700 5.300l-5.400 5.400"/>',
  9: '<circle class="open dashed" cx="8" cy="8" r="5.800"/><path class="stroke" d="M5.600 8h4.800"/>',
};
export const knownFlag = (flag) => (flag in FLAGS ? flag : 2);

/** The sign of a QARTOD flag, decorative: its word stands beside it. */
export function flagSign(flag) {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `flag-sign flag-${knownFlag(flag)}`);
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = FLAGS[knownFlag(flag)];
  return svg;
}

const BADGE = { 3: ["#d98a00", "#1d1300"], 4: ["#c62828", "#fff"], 9: ["#6b7480", "#fff"] };

/** A small badge of a flag for the map. */
export function flagPicture(flag, rim) {
  const [ground, line] = BADGE[flag];
  const form = flag === 9 ? '<circle cx="8" cy="8" r="6.500"/>' : FLAGS[flag].split("/>")[0].replace('class="ground"', "") + "/>";
  const mark = flag === 9 ? "M5.400 8h5.200" : FLAGS[flag].match(/class="line" d="([^"]+)"/)[1];
  return picture(
    `<g fill="${ground}" stroke="${rim}" stroke-width="2" stroke-linejoin="round" paint-order="stroke">${form}</g>` +
      `<path fill="none" stroke="${line}" stroke-width="1.800" stroke-linecap="round" d="${mark}"/>`,
    "-1 -1 18 18",
  );
}

const ALERTS = { 1: ["#f0a71c", "#2a1b00"], 2: ["#c2410c", "#fff"], 3: ["#a81038", "#fff"], 4: ["#641d78", "#fff"] };
const TRIANGLE = '<path d="M12 2.200c.8 0 1.500.4 1.900 1.100l8.700 15.200a2.100 2.100 0 0 1-1.900 3.200H3.300a2.100 2.100 0 0 1-1.900-3.200l8.700-15.200c.4-.7 1.100-1.100 1.900-1.100z"/>';

function insideAlert(level) {
  const [ground, line] = ALERTS[Math.min(level, 4)];
  return `<g fill="${ground}">${TRIANGLE}</g><text x="12" y="18.900" text-anchor="middle" font-family="system-ui,sans-serif" font-size="12.500" font-weight="700" fill="${line}">${Number(level)}</text>`;
}

/** The sign of an alert's level: a triangle with its number; its word stands beside it. */
export const alertSign = (level) => sign("alert-sign", insideAlert(level));

/** The same as a picture for the map. */
export const alertPicture = (level, rim) => picture(`<g fill="none" stroke="${rim}" stroke-width="2.600" stroke-linejoin="round">${TRIANGLE}</g>${insideAlert(level)}`, "-1.5 -1.5 27 27");

async function picture(content, box) {
  const image = new Image(96, 96);
  image.src = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="${NS}" width="96" height="96" viewBox="${box}">${content}</svg>`)}`;
  await image.decode();
  return image;
}
