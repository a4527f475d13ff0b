// Makes dist/web/faultline.html, the whole page with its machine in one file: it runs when it is opened, from a disk as well.
import { readFileSync, statSync, writeFileSync } from "node:fs";

const folder = new URL("../dist/web/", import.meta.url);
const read = (path) => readFileSync(new URL(path, folder), "utf8");

const html = read("index.html")
  .replace(/<link rel="stylesheet"[^>]*href="([^"]+)"[^>]*>/, (_tag, path) => `<style>${read(path)}</style>`)
  // These begin or end a script wherever they stand; in strings and regular expressions this spelling means the same.
  .replace(/<script type="module"[^>]*src="([^"]+)"[^>]*><\/script>/, (_tag, path) => {
    const script = read(path).replace(/<(?=!--|script|\/script)/g, "\\x3C");
    return `<script type="module">${script}</script>`;
  });
if (/(src|href)="\.\//.test(html)) throw new Error("the page still refers to another file");
const target = new URL("faultline.html", folder);
writeFileSync(target, html);
console.log(`${target.pathname}: ${Math.round(statSync(target).size / 1024)} KiB`);
