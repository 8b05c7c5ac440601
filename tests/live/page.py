"""Renders a page in a real Chromium, wide and narrow, light and dark, and prints the results as JSON.

usage: page.py URL DIR

It writes the screenshots to DIR. It uses the Chrome DevTools Protocol over a pipe, which needs no other package.
"""

import base64, itertools, json, os, subprocess, sys, zlib

URL, DIR = sys.argv[1:3]

to_browser, from_browser = os.pipe(), os.pipe()


def fds():
    # The browser reads from file descriptor 3 and writes to 4.
    for fd, place in ((to_browser[0], 13), (from_browser[1], 14)):
        os.dup2(fd, place)
    os.dup2(13, 3)
    os.dup2(14, 4)


browser = subprocess.Popen(
    ["chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={DIR}/browser"],
    preexec_fn=fds, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
os.close(to_browser[0])
os.close(from_browser[1])
answers = os.fdopen(from_browser[0], "rb")
numbers, events = itertools.count(1), []


def read():
    text = bytearray()
    while (byte := answers.read(1)) != b"\0":
        if not byte:
            sys.exit("the browser ended")
        text += byte
    return json.loads(text)


def call(method, session=None, **params):
    number = next(numbers)
    message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
    os.write(to_browser[1], json.dumps(message).encode() + b"\0")
    while True:
        message = read()
        if message.get("id") == number:
            if "error" in message:
                sys.exit(f"{method}: {message['error']}")
            return message["result"]
        events.append(message)


def until(method):
    while not any(event["method"] == method for event in events):
        events.append(read())


target = call("Target.createTarget", url="about:blank")["targetId"]
session = call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
say = lambda method, **params: call(method, session, **params)
value = lambda text: say("Runtime.evaluate", expression=text, returnByValue=True)["result"]["value"]

for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
    say(f"{domain}.enable")
say("Page.navigate", url=URL)
until("Page.loadEventFired")

views = []
for width in (1280, 800, 390):
    for scheme in ("light", "dark"):
        say("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        say("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        png = base64.b64decode(say("Page.captureScreenshot", captureBeyondViewport=True)["data"])
        with open(f"{DIR}/{width}-{scheme}.png", "wb") as file:
            file.write(png)
        # The chunks with the pixels. No filter changes the first pixel.
        at, packed = 8, b""
        while at < len(png):
            length = int.from_bytes(png[at:at + 4], "big")
            if png[at + 4:at + 8] == b"IDAT":
                packed += png[at + 8:at + 8 + length]
            at += length + 12
        pixels = zlib.decompress(packed)
        nodes = say("Accessibility.getFullAXTree")["nodes"]
        roles = {}
        for node in nodes:
            role = node["role"]["value"]
            if not node["ignored"]:
                roles[role] = roles.get(role, 0) + 1
        views.append({
            "width": width,
            "scheme": scheme,
            "wide": value("document.documentElement.scrollWidth"),
            "beyond": value("[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
                            " && getComputedStyle(e).position != 'absolute').map(e => e.outerHTML.slice(0, 200))"),
            "first": "#" + pixels[1:4].hex(),
            "bytes": len(set(pixels)),
            "roles": roles,
            "unnamed": sum(1 for node in nodes if node["role"]["value"] in ("image", "link", "heading", "region")
                           and not node["ignored"] and not node.get("name", {}).get("value")),
        })

print(json.dumps({
    "requests": [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"],
    "log": [event["params"] for event in events if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")],
    "title": value("document.title"),
    "text": value("document.body.innerText"),
    "scripts": value("document.scripts.length + document.querySelectorAll('[onload],[onerror],iframe,object,embed').length"),
    "views": views,
}))
browser.kill()
browser.wait()
