"""Photograph a page of the Dagster UI after clicking through it: ``photograph.py URL FILE WIDTH HEIGHT [TEXT ...]``.

Each TEXT is clicked in turn: the first visible button or link that says it, once it is there. Needs chromium and the
package websockets (a dependency of Dagster); talks to 127.0.0.1 alone.
"""

import asyncio
import base64
import itertools
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import websockets

FIND = """(() => {
  const said = %s;
  const found = [...document.querySelectorAll('button, a, [role=button]')].filter(
    (e) => e.innerText.trim() === said && e.offsetParent !== null);
  if (!found.length) return false;
  found[0].scrollIntoView({block: 'center'});
  found[0].click();
  return true;
})()"""


async def photograph(port: int, url: str, file: Path, size: tuple[int, int], clicks: list[str]) -> None:
    """Open a page, click, wait for it to rest, write a PNG."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
        target = next(t for t in json.load(answer) if t["type"] == "page")
    async with websockets.connect(target["webSocketDebuggerUrl"], max_size=None) as socket:
        numbers = itertools.count(1)

        async def call(method: str, **params: object) -> dict:
            number = next(numbers)
            await socket.send(json.dumps({"id": number, "method": method, "params": params}))
            while True:
                answer = json.loads(await socket.recv())
                if answer.get("id") == number:
                    return answer["result"]

        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        await call("Emulation.setDeviceMetricsOverride", **screen)
        await call("Page.navigate", url=url)
        for said in clicks:
            for _ in range(120):
                result = await call("Runtime.evaluate", expression=FIND % json.dumps(said))
                if result["result"].get("value"):
                    break
                await asyncio.sleep(0.5)
            else:
                raise SystemExit(f"{url}: nothing says {said!r} after 60 s")
            await asyncio.sleep(2)
        await asyncio.sleep(6)
        shot = await call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(shot["data"]))


def main() -> int:
    """Start a browser, photograph, end it."""
    url, file, width, height, *clicks = sys.argv[1:]
    with tempfile.TemporaryDirectory() as profile:
        browser = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            named = Path(profile) / "DevToolsActivePort"
            deadline = time.monotonic() + 60
            while not (named.exists() and named.read_text().strip()):
                if browser.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("chromium did not start")
                time.sleep(0.2)
            port = int(named.read_text().splitlines()[0])
            asyncio.run(photograph(port, url, Path(file), (int(width), int(height)), clicks))
        finally:
            browser.terminate()
            browser.wait(20)
    print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
