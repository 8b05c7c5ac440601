"""Notification services, as strict as the real ones. Accepted reports are appended to a file.

oauthlib, which shares no code with moyai, computes OAuth signatures again. Marks in a text select an answer:
[busy] is refused once with 503, [proxy] is swallowed once by a proxy that answers 200, [lost] is accepted once
without an answer, [limit] exceeds the rate limit (429), [credit] is not paid for (402).
"""

import http.server
import json
import re
import sys
import time
import unicodedata

import oauthlib.oauth1

taken_file = sys.argv[1]
texts, keys, once = [], {}, set()


def weighted(text):
    """Counts like twitter-text, config/v3.json. Addresses count as in its README."""
    text = unicodedata.normalize("NFC", text)
    length = 0
    for part in re.split(r"(https?://\S+)", text):
        if re.match(r"https?://", part):
            length += 23
            continue
        for char in part:
            code = ord(char)
            single = code <= 0x10FF or 0x2000 <= code <= 0x200D or 0x2010 <= code <= 0x201F or 0x2032 <= code <= 0x2037
            length += 1 if single else 2
    return length


def raw_size(body):
    return json.dumps(body).encode()


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=()):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] != "application/json":
            return self.answer(400, "not JSON")
        try:
            self.body = json.loads(raw)
        except ValueError:
            return self.answer(400, "not JSON")
        self.text = ""
        for name in ("text", "status", "content", "message", "body"):
            if name in self.body:
                self.text = self.body[name]
        if "record" in self.body:
            self.text = self.body["record"]["text"]
        if "attachments" in self.body:
            self.text = self.body["attachments"][0]["content"]["body"][0]["inlines"][0]["text"]
        # A captive portal answers once.
        if "[portal]" in self.text and (self.path, self.text) not in once:
            once.add((self.path, self.text))
            return self.answer(200, "<html><body>Please <b>log in</b></body></html>")
        if "[busy]" in self.text and (self.path, self.text) not in once:
            once.add((self.path, self.text))
            return self.answer(503, "Service Unavailable")
        # An answer that would silence a target forever.
        for wait in ("9223372036854775807", "99999999999999999999", "1e18", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"):
            if f"[wait {wait}]" in self.text:
                return self.answer(429, "later", [("Retry-After", wait)])
        path, _, query = self.path.partition("?")
        if path == "/2/tweets":
            return self.x()
        if path == "/api/v1/statuses":
            return self.mastodon()
        if path.startswith("/services/"):
            if path != "/services/T0/B0/slack-token":
                return self.answer(403, "invalid_token")
            if "[proxy]" in self.text and self.text not in once:
                once.add(self.text)
                return self.answer(200, "<html><body>Please <b>log in</b></body></html>")
            return self.take("slack", 200, "ok", set(self.body) == {"text"} and len(self.text) <= 35000)
        if path.startswith("/api/webhooks/"):
            if path != "/api/webhooks/42/discord-token":
                return self.answer(401, {"message": "Invalid Webhook Token", "code": 50027})
            if "[limit]" in self.text:
                return self.answer(429, {"message": "You are being rate limited.", "retry_after": 64.57, "global": False})
            good = query == "wait=true" and self.body["allowed_mentions"] == {"parse": []} and len(self.text) <= 2000
            return self.take("discord", 200, {"id": "1"}, good)
        if path.startswith("/bot"):
            if path != "/botbot:token/sendMessage":
                return self.answer(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
            good = self.body["chat_id"] == "-100" and len(self.text.encode("utf-16-le")) <= 8192
            return self.take("telegram", 200, {"ok": True}, good)
        if path == "/" and "topic" in self.body:
            if self.headers["Authorization"] != "Bearer ntfy-token":
                return self.answer(403, {"code": 40301, "error": "forbidden"})
            return self.take("ntfy", 200, {"id": "1"}, self.body["topic"] == "pier" and len(self.text.encode()) <= 4096)
        if path.startswith("/_matrix/"):
            return self.matrix(path)
        if path == "/message":
            if self.headers["X-Gotify-Key"] != "gotify-token":
                return self.answer(401, {"error": "Unauthorized", "errorCode": 401, "errorDescription": "you need to provide a valid access token"})
            good = set(self.body) == {"title", "message", "priority"} and isinstance(self.body["priority"], int)
            return self.take("gotify", 200, {"id": 1, "appid": 1, "message": self.text}, good)
        if path == "/1/messages.json":
            if (self.body["token"], self.body["user"]) != ("pushover-token", "pushover-user"):
                return self.answer(400, {"token": "invalid", "errors": ["application token is invalid"], "status": 0, "request": "r"})
            good = set(self.body) == {"token", "user", "title", "message"} and len(self.text) <= 1024
            return self.take("pushover", 200, {"status": 1, "request": "r"}, good)
        if path == "/workflows/1/triggers/manual/paths/invoke":
            if query != "api-version=2016-06-01&sig=teams-token":
                return self.answer(401, {"error": {"code": "DirectApiAuthorizationRequired"}})
            card = self.body["attachments"][0]
            good = self.body["type"] == "message" and card["contentType"] == "application/vnd.microsoft.card.adaptive"
            good = good and card["content"]["type"] == "AdaptiveCard" and len(raw) <= 28 * 1024
            return self.take("teams", 202, "", good)
        if path == "/xrpc/com.atproto.server.createSession":
            if self.body != {"identifier": "moyai.example.jp", "password": "bluesky-token"}:
                return self.answer(401, {"error": "AuthenticationRequired", "message": "Invalid identifier or password"})
            return self.answer(200, {"did": "did:plc:1", "handle": "moyai.example.jp", "accessJwt": "jwt", "refreshJwt": "jwt2"})
        if path == "/xrpc/com.atproto.repo.createRecord":
            if self.headers["Authorization"] != "Bearer jwt":
                return self.answer(401, {"error": "AuthMissing", "message": "Authentication Required"})
            record = self.body["record"]
            good = self.body["repo"] == "did:plc:1" and self.body["collection"] == record["$type"] == "app.bsky.feed.post"
            good = good and len(self.text) <= 300 and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", record["createdAt"])
            return self.take("bluesky", 200, {"uri": "at://did:plc:1/app.bsky.feed.post/1", "cid": "1"}, good)
        if path == "/hook":
            return self.take("webhook", 204, "", {"text", "host", "time"} == set(self.body))
        return self.answer(404, "no such path")

    do_PUT = do_POST

    def matrix(self, path):
        room = "/_matrix/client/v3/rooms/%21room%3Aexample.org/send/m.room.message/"
        if self.headers["Authorization"] != "Bearer matrix-token":
            return self.answer(401, {"errcode": "M_UNKNOWN_TOKEN", "error": "Unrecognised access token"})
        if self.command != "PUT" or not path.startswith(room):
            return self.answer(404, {"errcode": "M_UNRECOGNIZED", "error": "Unrecognized request"})
        if path in keys:
            return self.answer(200, keys[path])
        keys[path] = {"event_id": "$1"}
        good = self.body == {"msgtype": "m.text", "body": self.text} and len(raw_size(self.body)) < 65536
        return self.take("matrix", 200, keys[path], good)

    def x(self):
        header = self.headers["Authorization"]
        sent = dict(re.findall(r'(\w+)="([^"]*)"', header))
        client = oauthlib.oauth1.Client(
            "consumer", "consumer secret&", "access", "access=secret", nonce=sent["oauth_nonce"], timestamp=sent["oauth_timestamp"]
        )
        url = "http://" + self.headers["Host"] + self.path
        # JSON is not part of a signature (RFC 5849, 3.4.1.3.1).
        _, headers, _ = client.sign(url, "POST")
        own = dict(re.findall(r'(\w+)="([^"]*)"', headers["Authorization"]))
        if own != sent or not header.startswith("OAuth ") or abs(time.time() - int(sent["oauth_timestamp"])) > 300:
            return self.answer(401, {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"})
        if "[credit]" in self.text:
            return self.answer(402, {"title": "CreditsDepleted", "status": 402})
        if "[limit]" in self.text:
            reset = str(int(time.time()) + 700)
            return self.answer(429, {"title": "Too Many Requests", "status": 429}, [("x-rate-limit-reset", reset)])
        if self.text in texts:
            detail = "You are not allowed to create a Tweet with duplicate content."
            return self.answer(403, {"detail": detail, "type": "about:blank", "title": "Forbidden", "status": 403})
        texts.append(self.text)
        good = set(self.body) == {"text"} and weighted(self.text) <= 280
        self.take("x", 201, {"data": {"id": "1", "text": self.text}}, good)

    def mastodon(self):
        if self.headers["Authorization"] != "Bearer mastodon-token":
            return self.answer(401, {"error": "The access token is invalid"})
        key = self.headers["Idempotency-Key"]
        if key in keys:
            return self.answer(200, keys[key])
        keys[key] = {"id": str(len(keys))}
        length = len(re.sub(r"https?://\S+", "x" * 23, self.text))
        self.take("mastodon", 200, keys[key], length <= 500)

    def take(self, service, status, body, good):
        if not good:
            return self.answer(422, {"error": "Validation failed"})
        with open(taken_file, "a", encoding="utf-8") as file:
            file.write(json.dumps([service, self.text], ensure_ascii=False) + "\n")
        if "[lost]" in self.text and (service, self.text) not in once:
            once.add((service, self.text))
            self.close_connection = True
            return None
        return self.answer(status, body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
server.serve_forever()
