"""A provider's official client, doing one task for each line of standard input.

client.py openai|anthropic

A line is `{"url": …, "task": …}`. For each piece of a stream's text it writes `{"piece": …}`, and at the end of every
task `{"told": …}`, which is what the client has understood, in the words of tests/headroom/clients.ts, or `{"broken": …}`.
"""

import base64
import json
import sys

KEY = "sk-planted-key"
SIZE = 5_000_000 // 4 * 3
IMAGE = base64.b64encode((b"tabport" * (SIZE // 7 + 1))[:SIZE]).decode()
TEXT = {"type": "text", "text": "Grüße"}


def write(line):
    print(json.dumps(line), flush=True)


class OpenAI:
    def __init__(self, url):
        import openai

        self.error = openai.APIStatusError
        self.client = openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0)

    def create(self, task):
        raw = self.client.chat.completions.with_raw_response.create(model=task, messages=self.messages(task))
        answer = raw.parse().choices[0].message
        told = {"id": raw.parse()._request_id, "encoding": raw.headers.get("content-encoding")}
        if answer.content:
            told["text"] = answer.content
        for call in answer.tool_calls or []:
            told["tool"] = {"name": call.function.name, "arguments": json.loads(call.function.arguments)}
        return told

    def stream(self):
        return self.client.chat.completions.create(model="stream", stream=True, messages=self.messages("stream"))

    def piece(self, chunk):
        return chunk.choices[0].delta.content

    def kind(self, error):
        return error.type

    def messages(self, task):
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}}
        return [{"role": "user", "content": [TEXT, image] if task == "image" else [TEXT]}]


class Anthropic:
    def __init__(self, url):
        import anthropic

        self.error = anthropic.APIStatusError
        self.client = anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0)

    def create(self, task):
        raw = self.client.messages.with_raw_response.create(**self.request(task))
        [block] = raw.parse().content
        told = {"id": raw.parse()._request_id, "encoding": raw.headers.get("content-encoding")}
        if block.type == "text":
            told["text"] = block.text
        else:
            told["tool"] = {"name": block.name, "arguments": block.input}
        return told

    def stream(self):
        return self.client.messages.create(**self.request("stream"), stream=True)

    def piece(self, event):
        return event.delta.text if event.type == "content_block_delta" else None

    def kind(self, error):
        return error.body["error"]["type"]

    def request(self, task):
        source = {"type": "base64", "media_type": "image/png", "data": IMAGE}
        content = [TEXT, {"type": "image", "source": source}] if task == "image" else [TEXT]
        return {"model": task, "max_tokens": 64, "messages": [{"role": "user", "content": content}]}


def stream(client, give_up):
    text = ""
    with client.stream() as events:
        for piece in filter(None, map(client.piece, events)):
            if give_up:
                return None
            text += piece
            write({"piece": piece})
    return {"text": text}


def run(client, task):
    try:
        return stream(client, task == "give up") if task in ("stream", "give up") else client.create(task)
    except client.error as error:
        return {
            "failure": {
                "class": type(error).__name__,
                "status": error.status_code,
                "type": client.kind(error),
                "retryAfter": error.response.headers.get("retry-after"),
                "id": error.request_id,
            }
        }


for line in sys.stdin:
    asked = json.loads(line)
    client = {"openai": OpenAI, "anthropic": Anthropic}[sys.argv[1]](asked["url"])
    try:
        write({"told": run(client, asked["task"])})
    except Exception as error:
        write({"broken": repr(error)})
