"""A person with a browser: opens a page that `nvp_tf page` wrote, and does what one does there. Run by .venv-web.

python driver.py PAGE IMAGES.json PICTURE BROKEN HUGE   prints what is seen, as one line of JSON

IMAGES.json: lists of pixels to score; the rest: files to drop or to choose.
"""

import base64
import functools
import http.server
import json
import sys
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = "[...document.querySelectorAll('{} canvas')].map((canvas) => canvas.toDataURL())"
ASK = """async (images) => {
  const told = {log_prob: [], changed: 0, unexplained: 0};
  for (const image of images) {
    const pixels = Uint8Array.from(image);
    told.log_prob.push((await page.model.ask("score", pixels)).log_prob[0]);
    const {excess, bits = excess} = await page.model.ask("explain", pixels);
    const nats = Math.LN2 * bits.reduce((sum, value) => sum + value);
    told.unexplained = Math.max(told.unexplained, Math.abs(nats + told.log_prob.at(-1)));
    const back = await page.model.decode((await page.model.ask("encode", pixels)).latents);
    told.changed += back.reduce((count, value, i) => count + (value !== pixels[i]), 0);
  }
  return told;
}"""
READ = """async ([name, content]) => {
  const {readPicture} = await import("./picture.js");
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  return [...(await readPicture(new File([bytes], name), page.about.shape, page.about.levels))];
}"""
DROP = """([name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name));
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", {bubbles: true, dataTransfer: data}));
}"""


def main(folder, images, picture, broken, huge):
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        told = {"sentences": sentences(browser, url)}
        page, errors, asked = opened(browser, url)
        told |= {"drawn": drawn(page), "between": between(page)}
        told |= looked(page, picture, broken, huge) | {"scales": scales(page)}
        files = Path(picture).parent.glob("*.png")
        told["pixels"] = {file.name: page.evaluate(READ, content(file)) for file in files}
        told |= page.evaluate(ASK, json.loads(Path(images).read_text()))
        page.set_viewport_size({"width": 360, "height": 740})
        told["phone"] = page.evaluate("document.documentElement.scrollWidth")
        told |= {"errors": errors, "elsewhere": [address for address in asked if not address.startswith(url)]}
        server.shutdown()
        print(json.dumps(told))


def opened(browser, url):
    page, errors, asked = browser.new_page(), [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
    page.goto(url)
    page.wait_for_function("window.page")
    return page, errors, asked


def sentences(browser, url):
    """What is said where the model's file is not there, or is none."""
    said = {}
    for what, answer in {"missing": {"status": 404}, "damaged": {"body": "no model"}}.items():
        page = browser.new_page()
        page.route("**/model_web.tflite", lambda route, _, answer=answer: route.fulfill(**answer))
        page.goto(url)
        page.wait_for_selector("#status.failed")
        said[what] = page.inner_text("#status")
        page.close()
    return said


def drawn(page):
    """The pictures at first, at the lowest temperature, and of another seed; and the words beside."""
    of = PICTURES.format("#drawn")
    seen = [page.evaluate(of)]
    for act in (lambda: page.press("#temperature", "Home"), lambda: page.click("#again")):
        act()
        seen.append(settled(page, of, seen[-1]))
    page.click("#drawn button:nth-child(3)")
    page.wait_for_function("document.getElementById('own-name').textContent === 'drawn picture 3'")
    return {"pictures": seen, "temperature": page.inner_text("#temperature-value"), "seed": page.inner_text("#seed")}


def between(page):
    """The picture by mouse, then at 0 and 0 degrees by keyboard, and the first held-out one."""
    of = PICTURES.format("#between")
    seen = [page.evaluate(of)]
    page.hover("#map", position={"x": 120, "y": 100})
    seen.append(settled(page, of, seen[-1]))
    for angle in ("#angle-a", "#angle-b"):
        page.press(angle, "Home")
    page.wait_for_timeout(300)
    return [*seen, page.evaluate(of), page.evaluate(PICTURES.format("#held-out"))[:1]]


def looked(page, picture, broken, huge):
    """What is said of a dropped picture, of a sketch, and of two files that are refused."""
    page.evaluate(DROP, content(picture))
    page.wait_for_function("(name) => document.getElementById('own-name').textContent === name", arg=Path(picture).name)
    words = ("score", "among", "round-trip", "values", "refused")
    page.wait_for_timeout(300)
    told = {"dropped": {name: page.inner_text(f"#{name}") for name in words}}
    told["dropped"]["bars"] = page.locator("#histogram rect").count()
    told["dropped"]["maps"] = page.locator(".explained:visible").count()
    for file in (broken, huge):
        page.set_input_files("#file", file)
        page.wait_for_function("document.getElementById('refused').textContent")
        told[Path(file).stem] = page.inner_text("#refused")
        page.evaluate("document.getElementById('refused').textContent = ''")
    sheet = page.locator("#sketch")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 200, steps=4)
    page.mouse.up()
    page.wait_for_function("document.getElementById('own-name').textContent === 'your drawing'")
    page.wait_for_timeout(300)
    return told | {"sketched": page.inner_text("#score")}


def scales(page):
    """The picture with all latents, and with none of them; and the words beside. None where there is one scale."""
    if page.locator("#scales").is_hidden():
        return None
    of = "document.getElementById('kept').toDataURL()"
    seen, said = [page.evaluate(of)], [page.inner_text("#kept-share")]
    for box in page.locator("#scale-boxes input").all():
        box.uncheck()
    seen.append(settled(page, of, seen[-1]))
    page.wait_for_timeout(300)
    return seen + said + [page.inner_text("#kept-share")]


def settled(page, of, before):
    """What `of` gives once it is other than before, and stays."""
    page.wait_for_function(f"(before) => JSON.stringify({of}) !== JSON.stringify(before)", arg=before)
    page.wait_for_timeout(500)
    return page.evaluate(of)


def content(file):
    return [Path(file).name, base64.b64encode(Path(file).read_bytes()).decode()]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
