#!/usr/bin/env python3
"""The part of GitLab's API that the review uses: one merge request, its notes kept in the file given. Prints its port."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

FILE = sys.argv[1]
NOTES = "/api/v4/projects/3/merge_requests/7/notes"


class Api(BaseHTTPRequestHandler):
    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_call(self):
        if self.headers["PRIVATE-TOKEN"] != "glpat-EXAMPLE":
            return self.reply(401, {"message": "401 Unauthorized"})
        with open(FILE, encoding="utf-8") as file:
            notes = json.load(file)
        length = int(self.headers["Content-Length"] or 0)
        field = parse_qs(self.rfile.read(length).decode(), strict_parsing=length > 0)
        url = urlsplit(self.path)
        if self.command == "GET" and url.path == "/api/v4/user":
            return self.reply(200, {"username": "policyc-bot"})
        if self.command == "GET" and url.path == NOTES:
            page = int(parse_qs(url.query)["page"][0])
            return self.reply(200, notes[100 * (page - 1) : 100 * page])
        if self.command == "POST" and url.path == NOTES:
            note = {"id": 5000 + len(notes), "author": {"username": "policyc-bot"}, "body": field["body"][0]}
            notes.append(note)
        elif self.command == "PUT" and url.path.startswith(NOTES + "/"):
            note = next(n for n in notes if n["id"] == int(url.path.rsplit("/", 1)[1]))
            note["body"] = field["body"][0]
        else:
            return self.reply(404, {"message": "404 Not Found"})
        with open(FILE, "w", encoding="utf-8") as file:
            json.dump(notes, file)
        return self.reply(201, note)

    do_GET = do_POST = do_PUT = handle_call

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Api)
print(server.server_port, flush=True)
server.serve_forever()
