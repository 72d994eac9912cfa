// Walks through the pages in a real Chromium and says what is wrong; the Rust test beside it starts it.
//
//   node browser.mjs MODULES CHROMIUM ADDRESS PICTURES
//
// Prints lines of JSON: { "want": "event" } asks for one more run to be stored and waits for a line on stdin,
// { "wrong": … } is a fault, { "figures": … } what was measured. Ends with 0 if it could look at everything.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { mkdirSync, readFileSync } from "node:fs";

const [modules, chromium, address, pictures] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 60_000;
const SIZES = [[1366, 768], [390, 844]];
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const wrong = (where, what) => say({ wrong: `${where}: ${what}` });
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
mkdirSync(pictures, { recursive: true });

const places = JSON.parse(process.env.PLACES);
const browser = await puppeteer.launch({
  executablePath: chromium,
  headless: true,
  protocolTimeout: 180_000,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
});

/** A page that tells of every error, of what was refused, and of what comes from elsewhere. */
async function open(path, [width, height], theme) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.setViewport({ width, height });
  if (theme) await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  page.on("console", (message) => { if (["error", "warn"].includes(message.type())) wrong(path, `console: ${message.text()}`); });
  page.on("pageerror", (error) => wrong(path, `script: ${error.message}`));
  page.on("response", (answer) => { if (answer.status() >= 400) wrong(path, `${answer.status()} for ${answer.url()}`); });
  page.on("request", (request) => { if (!request.url().startsWith(address) && !request.url().startsWith("data:")) wrong(path, `it asks for ${request.url()}`); });
  await page.goto(address + path, { waitUntil: "load" });
  return page;
}

/** Waits for the charts, then for the next picture of the screen. */
async function settle(page) {
  const charts = await page.$$("figure.chart[data-series]");
  if (charts.length > 0) await page.waitForSelector("figure.chart canvas");
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

async function look(name, path) {
  for (const theme of ["light", "dark"]) {
    for (const size of SIZES) {
      const page = await open(path, size, theme);
      await settle(page);
      const where = `${path} ${theme} ${size[0]}`;
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wide > 0) wrong(where, `it is ${wide} px wider than the screen`);
      await page.screenshot({ path: `${pictures}/${name}-${theme}-${size[0]}.png`, fullPage: true });
      await page.evaluate(axe);
      const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      for (const one of found.violations.filter((one) => ["serious", "critical"].includes(one.impact))) {
        const nodes = one.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} (${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ""})`);
        wrong(where, `axe ${one.id}: ${one.help}: ${nodes.join(" | ")}`);
      }
      await page.close();
    }
  }
}

/** From the overview to the assertion that failed. */
async function clicks() {
  const page = await open("/", SIZES[0]);
  let count = 0;
  const follow = async (selector) => {
    count += 1;
    await Promise.all([page.waitForNavigation(), page.click(selector)]);
  };
  await follow(".sentence li a");
  const there = () => page.evaluate(() => [...document.querySelectorAll(".assertions tr.broken")].some((row) => /expected|201/.test(row.textContent) && row.getClientRects().length > 0));
  if (!(await there())) await follow(".failures a");
  if (!(await there())) wrong("/", "the failed assertion is not there");
  if (count > 3) wrong("/", `${count} clicks to the failed assertion`);
  say({ figures: { clicks: count } });
  await page.close();
}

/** Everything can be reached and is seen when it is. */
async function keys() {
  const page = await open("/?refresh=off", SIZES[0]);
  const reached = new Set();
  for (let number = 0; number < 25; number += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      return { what: `${element.tagName} ${element.textContent.trim().slice(0, 40)}`, outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0, seen: box.width > 0 && box.left > -50 };
    });
    reached.add(at.what);
    if (!at.outlined || !at.seen) wrong("/", `the focus is not seen on ${at.what}`);
  }
  if (reached.size < 15) wrong("/", `the keyboard reaches ${reached.size} places only: ${[...reached].join(", ")}`);
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("j");
  const row = await page.evaluate(() => document.activeElement.closest("tr") !== null);
  if (!row) wrong("/", "j does not go to the first row");
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  const finds = await page.evaluate(() => document.activeElement.name === "q");
  if (!finds) wrong("/", "/ does not go to the search");
  await page.keyboard.type("checkout");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  if (!page.url().includes("q=checkout")) wrong("/", "the search is not in the address");
  const before = await page.evaluate(() => document.documentElement.dataset.theme);
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("t");
  const after = await page.evaluate(() => document.documentElement.dataset.theme);
  if (before === after) wrong("/", "t does not change the theme");
  await page.keyboard.press("u");
  const zone = await page.evaluate(() => document.getElementById("zone").textContent);
  if (zone !== "UTC") wrong("/", "u does not change to local times");
  await page.keyboard.press("g");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("e")]);
  if (!page.url().endsWith("/events")) wrong("/", "g e does not go to the events");
  await page.evaluate(() => localStorage.clear());
  await page.close();
}

/** A page changes by itself when a run arrives. */
async function live() {
  const page = await open("/", SIZES[0]);
  const listening = page.waitForResponse((answer) => answer.url().endsWith("/live"));
  await page.reload();
  await listening;
  // The row says "broken" now; a good run makes it hold.
  const broken = () => page.$eval("h1", (title) => title.textContent);
  const before = await broken();
  say({ want: "event" });
  await input.next();
  await page.waitForFunction((text) => document.querySelector("h1").textContent !== text, {}, before);
  say({ figures: { before, after: await broken() } });
  await page.close();
}

/** Without a script the numbers are there as tables. */
async function plain() {
  for (const [name, path] of Object.entries(places)) {
    const page = await browser.newPage();
    await page.setJavaScriptEnabled(false);
    await page.goto(address + path, { waitUntil: "load" });
    const text = await page.$eval("main", (main) => main.textContent.trim().length);
    if (text < 40) wrong(path, "it is empty without a script");
    if (["overview", "scenario"].includes(name) && (await page.$$("main table tbody tr")).length === 0) wrong(path, "it has no table without a script");
    await page.close();
  }
}

/** A box that is drawn in the scatter says what differs. */
async function box() {
  if (!places.events) return;
  const page = await open(places.events, SIZES[0]);
  const picture = await page.$("svg.scatter");
  if (!picture) { wrong(places.events, "there is no scatter"); return; }
  await picture.scrollIntoView();
  const at = await picture.boundingBox();
  await page.mouse.move(at.x + at.width * 0.02, at.y + 2);
  await page.mouse.down();
  await page.mouse.move(at.x + at.width * 0.98, at.y + at.height * 0.5, { steps: 8 });
  await Promise.all([page.waitForNavigation(), page.mouse.up()]);
  if ((await page.$$("table.compare tbody tr")).length === 0) wrong(places.events, "a drawn box compares nothing");
  if (!page.url().includes("from=")) wrong(places.events, "the box is not in the address");
  await page.screenshot({ path: `${pictures}/events-box.png`, fullPage: true });
  await page.close();
}

/** The chart by powers of ten, and back; the choice lasts. */
async function steep() {
  const page = await open(places.scenario, SIZES[0]);
  await settle(page);
  const pressed = () => page.$eval("button.scale", (button) => button.getAttribute("aria-pressed"));
  if ((await pressed()) !== "false") wrong(places.scenario, "the scale is not linear at first");
  await page.click("button.scale");
  if ((await pressed()) !== "true") wrong(places.scenario, "the switch does not say that the scale is logarithmic");
  await page.reload();
  await settle(page);
  if ((await pressed()) !== "true") wrong(places.scenario, "the scale was forgotten");
  await page.screenshot({ path: `${pictures}/scenario-log.png` });
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("l");
  if ((await pressed()) !== "false") wrong(places.scenario, "l does not change the scale");
  await page.evaluate(() => localStorage.clear());
  await page.close();
}

/** A run's command goes to the clipboard as it stands. */
async function copy() {
  await browser.defaultBrowserContext().overridePermissions(address, ["clipboard-read", "clipboard-sanitized-write"]);
  const page = await open(places.run, SIZES[0]);
  await page.bringToFront();
  await page.evaluate(() => { document.querySelector(".copied").closest("details").open = true; });
  await page.click(".copied button");
  await page.waitForFunction(() => document.querySelector(".copied button").textContent === "Copied");
  const [shown, copied] = await page.evaluate(async () => [document.querySelector(".copied pre").textContent, await navigator.clipboard.readText()]);
  if (shown !== copied || !copied.startsWith("curl -v ")) wrong(places.run, `copied ${copied}`);
  await page.close();
}

/** Each team's review begins on a sheet of its own. */
async function print() {
  const page = await open(places.teams, SIZES[0]);
  const teams = (await page.$$("div.team")).length;
  const paper = Buffer.from(await page.pdf({ format: "A4" })).toString("latin1");
  const sheets = (paper.match(/\/Type\s*\/Page\b/g) ?? []).length;
  if (teams < 2 || sheets < teams) wrong(places.teams, `${teams} teams on ${sheets} sheets`);
  say({ figures: { teams, sheets } });
  await page.close();
}

try {
  for (const [name, path] of Object.entries(places)) await look(name, path);
  await clicks();
  await keys();
  await box();
  await steep();
  await copy();
  await print();
  await plain();
  await live();
  say({ figures: { pages: Object.keys(places).length } });
} catch (error) {
  wrong("the walk", error.stack ?? String(error));
} finally {
  await browser.close();
}
process.exit(0);
