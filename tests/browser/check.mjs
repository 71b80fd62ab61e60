// Checks pages in headless Chromium at three widths: axe-core finds no violation, the page loads nothing, the browser
// reports nothing with the page's own policy in force, nothing is wider than the window, and every control can be
// reached by keyboard.
//
//     node check.mjs PAGE.html…                 checks
//     node check.mjs --shots FOLDER PAGE.html…  also writes a picture of each page at each width
import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const arguments_ = process.argv.slice(2);
const shots = arguments_[0] === "--shots" ? arguments_.splice(0, 2)[1] : undefined;
const here = dirname(fileURLToPath(import.meta.url));
const axe = readFileSync(join(here, "node_modules/axe-core/axe.min.js"), "utf8");
const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: flags });
const problems = [];

for (const file of arguments_) {
  const url = pathToFileURL(resolve(file)).href;
  for (const width of [375, 820, 1400]) {
    const told = (text) => problems.push(`${file} at ${width} px: ${text}`);
    const watch = (page) => {
      page.on("console", (message) => told(`${message.type()}: ${message.text()}`));
      page.on("pageerror", (error) => told(`error: ${error}`));
      page.on("request", (request) => request.url() === url || told(`loads ${request.url()}`));
    };
    const plain = await browser.newPage({ viewport: { width, height: 900 } });
    watch(plain);
    await plain.goto(url);
    const wide = await plain.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) told(`is ${wide} px wider than the window`);
    const stops = await plain.evaluate(() => document.querySelectorAll("a[href], summary, [tabindex='0']").length);
    const reached = new Set();
    for (let press = 0; press <= stops + 1; press++) {
      await plain.keyboard.press("Tab");
      const at = await plain.evaluate(() => {
        const all = [...document.querySelectorAll("a[href], summary, [tabindex='0']")];
        const style = getComputedStyle(document.activeElement);
        return { index: all.indexOf(document.activeElement), outline: style.outlineStyle };
      });
      if (at.index >= 0) reached.add(at.index);
      if (at.index >= 0 && at.outline === "none") told("something has the focus and does not show it");
    }
    if (reached.size !== stops) told(`${stops - reached.size} of ${stops} links can't be reached by keyboard`);
    if (shots) await plain.screenshot({ path: join(shots, `${basename(file, ".html")}-${width}.png`), fullPage: true });
    await plain.close();

    // The page's policy blocks scripts, so axe is injected into the page.
    const context = await browser.newContext({ viewport: { width, height: 900 }, bypassCSP: true });
    const page = await context.newPage();
    await page.goto(url);
    await page.evaluate(axe);
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const found = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: "tag", values } }), tags);
    if (found.passes.length < 10) told("axe looked at next to nothing");
    for (const violation of found.violations) {
      told(`${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 3).map((node) => node.html).join(" ")}`);
    }
    await context.close();
  }
}
await browser.close();
problems.forEach((problem) => console.error(problem));
console.log(`${arguments_.length} pages at 3 widths: ${problems.length} problems`);
process.exit(problems.length === 0 && arguments_.length > 0 ? 0 : 1);
