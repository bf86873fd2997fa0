// Opens a report in a headless browser and prints what is wrong with it as JSON: one line for each problem, none when
// everything is right. Arguments: the folder of node_modules, the browser, the page, a folder for screenshots, a name.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, browser, file, pictures, name] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const problems = [];
const expect = (right, what) => { if (!right) problems.push(what); };

const shown = (page) => page.locator(".verdicts").first().locator("tbody tr:visible");
const column = (page, n) => shown(page).evaluateAll((rows, n) => rows.map((r) => r.cells[n].dataset.key ?? r.cells[n].textContent), n);
const sorted = (values, compare) => values.every((v, i) => i === 0 || compare(values[i - 1], v) <= 0);

async function filters(page) {
  const box = page.locator(".verdicts").first();
  const all = await shown(page).count();
  expect(all > 10, `only ${all} rows`);
  await box.locator("input[type=search]").fill("ssmmessages channel");
  const few = await column(page, 0);
  expect(few.length > 0 && few.length < all, `the filter leaves ${few.length} of ${all} rows`);
  expect(few.every((a) => a.includes("ssmmessages:")), `the filter leaves ${few}`);
  expect((await box.locator(".count").textContent()) === `${few.length} of ${all} actions`, "the count is wrong");
  await box.locator("input[type=search]").fill("");
  for (const verdict of ["blind", "unseen", "floor"]) await box.getByLabel(verdict).uncheck();
  const used = await shown(page).evaluateAll((rows) => rows.map((r) => r.dataset.verdict));
  expect(used.length > 0 && used.every((v) => v === "used"), `the boxes leave ${used}`);
  for (const verdict of ["blind", "unseen", "floor"]) await box.getByLabel(verdict).check();
  expect((await shown(page).count()) === all, "the filters do not come off");
}

async function sorting(page) {
  const heads = page.locator(".verdicts").first().locator("th[data-sort]");
  await heads.nth(4).locator("button").click();
  const up = (await column(page, 4)).map(Number);
  expect(sorted(up, (a, b) => a - b) && new Set(up).size > 2, `calls are not sorted: ${up}`);
  expect((await heads.nth(4).getAttribute("aria-sort")) === "ascending", "aria-sort is not ascending");
  await heads.nth(4).locator("button").press("Enter");
  const down = (await column(page, 4)).map(Number);
  expect(sorted(down, (a, b) => b - a), `calls are not sorted downwards by the keyboard: ${down}`);
  await heads.nth(0).locator("button").press("Space");
  const names = await column(page, 0);
  expect(sorted(names, (a, b) => (a < b ? -1 : 1)), `actions are not sorted: ${names}`);
  expect((await heads.nth(4).getAttribute("aria-sort")) === null, "two columns claim to be sorted");
}

async function accessible(page, scheme) {
  await page.evaluate(axe);
  await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  const found = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  expect(found.passes.length > 20, "axe looked at nothing");
  for (const v of found.violations) problems.push(`${scheme}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200)).join(" | ")}`);
}

async function narrow(page) {
  await page.setViewportSize({ width: 390, height: 800 });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(over <= 0, `on a narrow screen the page is ${over} pixels too wide`);
}

async function printed(page) {
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.reload();
  const sheets = await page.pdf({ format: "A4" });
  expect(sheets.length > 20000, "nothing is printed");
  expect(await page.evaluate(() => [...document.querySelectorAll("details")].every((d) => d.open)), "folds stay closed in print");
}

async function open(launched, scheme) {
  const context = await launched.newContext({ colorScheme: scheme, viewport: { width: 1280, height: 900 }, offline: true });
  const page = await context.newPage();
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) problems.push(`${scheme}: console: ${m.text()}`); });
  page.on("pageerror", (e) => problems.push(`${scheme}: ${e}`));
  page.on("dialog", (d) => { problems.push(`${scheme}: a dialog: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => { if (!r.url().startsWith("file:") || r.url() !== page.url() && r.resourceType() !== "document") problems.push(`${scheme}: loads ${r.url()}`); });
  await page.goto(pathToFileURL(file).href);
  expect((await page.evaluate(() => typeof globalThis.hacked)) === "undefined", "log content was executed");
  expect((await page.locator("main script, main iframe, main img, main a").count()) === 0, "log content became an element");
  await page.screenshot({ path: join(pictures, `${name}-${scheme}.png`), fullPage: true });
  return page;
}

const launched = await chromium.launch({
  executablePath: browser,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  for (const scheme of ["light", "dark"]) {
    const page = await open(launched, scheme);
    if (name !== "hostile") { await filters(page); await sorting(page); }
    await accessible(page, scheme);
    await narrow(page);
    if (scheme === "light") await printed(page);
    await page.context().close();
  }
} finally {
  await launched.close();
}
for (const problem of problems) console.log(problem);
