"""A rater led through the pages without a script, and an expert to practise on."""

import json
import re
from contextlib import contextmanager
from html import unescape

from annotated_study import Rater, Server

from annotator_web.store.samples import names_of

CHECKED = {"video": "good", "storage": "good", "frames": 55, "hand": ["keyboard"]}


def write_expert(study, session, times, values, name="expert"):
    """labels/<name>/<session>.csv with these values (T,) by dimension."""
    header = ["frame", "time_seconds"]
    columns = [range(len(times)), times]
    for dimension, trace in values.items():
        header += [dimension, f"{dimension}_low", f"{dimension}_high", f"{dimension}_raters"]
        columns += [trace, trace, trace, [3] * len(times)]
    rows = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    folder = study.labels_folder / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{session}.csv").write_text("\n".join([",".join(header), *rows]) + "\n")


class Person(Rater):
    """A rater with a browser; tokens are for what the room's script would do."""

    @contextmanager
    def served(self):
        """Serves the rater's study to real browsers; hands out the address of the invitation."""
        server = Server(self.context.study.root).start()
        try:
            yield f"{server.url}/invitation/{self.token}"
        finally:
            server.stop()

    def open(self, path="/", **options):
        return self.client.get(path, **options)

    def enter(self):
        assert self.open(f"/invitation/{self.token}").status_code == 303
        return self

    def post_form(self, path, **fields):
        """Posts a form with the hidden field that its page has."""
        csrf = re.search(r'name="csrf" value="([^"]*)"', self.open("/withdraw").text)[1]
        return self.client.post(path, data={"csrf": csrf, **fields})

    def agree(self, **fields):
        text = re.search(r'name="text" value="([^"]*)"', self.open("/consent").text)[1]
        return self.post_form("/consent", **{"text": text, "agree": "yes", **fields})

    def reach_the_faces(self):
        """Everything that comes before practice and warm-up."""
        self.enter().agree()
        self.post_form("/instructions")
        self.post_form("/device", results=json.dumps(CHECKED))
        return self

    def config(self, path):
        """What the rating page's script is told."""
        return json.loads(unescape(re.search(r'data-config="([^"]*)"', self.open(path).text)[1]))

    def give(self, session, times, values):
        """One finished take of these values (T,) by dimension."""
        count = len(times)
        columns = dict.fromkeys(names_of(list(values)), [0] * count)
        columns |= {"media_time": list(times), "frame": list(range(count))}
        columns |= {name: list(trace) for name, trace in values.items()}
        take = self.begin(session, list(values))
        assert self.send(take, 0, columns).status_code == 200
        assert self.finish(take, 1, count).status_code == 200
        return take
