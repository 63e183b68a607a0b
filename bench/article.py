#!/usr/bin/env python3
"""The video search of the article "Video Search Engine Using OpenAI's CLIP", step by step as it describes it.

It is what vidgrep is measured against: the same model files, the same clips, the same machine, none of vidgrep's code.
Every frame is decoded; one is taken when more than a second has passed since the last one taken; it is cut into squares
of 360 pixels, 180 apart; each square is scaled to the model's input by Pillow, normalised and encoded; a query is one
matrix product over all of them.

Needs Python 3.9 or later and: pip install numpy pillow opencv-python-headless onnxruntime tokenizers

    python3 bench/article.py models/starter VIDEO... --query "a red car"

Prints JSON: counts, seconds, the moments found, and with --rank FILE, a text of one query a line, the videos in the
order in which each query finds them.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Iterator, NamedTuple

import cv2
import numpy as np
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

SECONDS_BETWEEN_FRAMES = 1.0
SQUARE = 360
"""Edge of a square in pixels; the frame's shorter side where that is smaller."""


class Model:
    """Both towers of a model folder: image.onnx, text.onnx, tokenizer.json, described by model.json."""

    def __init__(self, folder: Path, threads: int) -> None:
        about = json.loads((folder / "model.json").read_text())
        self.image, self.text = about["image"], about["text"]
        self.threshold: float = about["threshold"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.image_tower = onnxruntime.InferenceSession(str(folder / self.image["file"]), options)
        self.text_tower = onnxruntime.InferenceSession(str(folder / self.text["file"]), options)
        self.tokenizer = Tokenizer.from_file(str(folder / self.text["tokenizer"]))
        self.mean = np.asarray(self.image["mean"], np.float32)
        self.std = np.asarray(self.image["std"], np.float32)

    def prepare(self, square: np.ndarray) -> np.ndarray:
        """An RGB square of any size -> float32 [3, size, size]."""
        size = self.image["size"]
        scaled = Image.fromarray(square).resize((size, size), Image.Resampling.BICUBIC)
        values = np.asarray(scaled, np.float32) / 255
        return ((values - self.mean) / self.std).transpose(2, 0, 1)

    def encode_images(self, inputs: np.ndarray) -> np.ndarray:
        """float32 [count, 3, size, size] -> unit vectors [count, dimension]."""
        (vectors,) = self.image_tower.run([self.image["output"]], {self.image["input"]: inputs})
        return unit(vectors)

    def encode_text(self, words: str) -> np.ndarray:
        """Words -> one unit vector [dimension]."""
        tokens = self.tokenizer.encode(words).ids
        values = {"input_ids": tokens, "attention_mask": [1] * len(tokens)}
        feed = {name: np.asarray([values[name]], np.int64) for name in self.text["inputs"]}
        (vectors,) = self.text_tower.run([self.text["output"]], feed)
        return unit(vectors)[0]


class Index(NamedTuple):
    """All squares of all videos: vectors[i] was seen in paths[i] at times[i] seconds."""

    vectors: np.ndarray
    paths: list[str]
    times: list[float]
    frames: int
    encoder_seconds: float


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def sampled(path: str) -> Iterator[tuple[float, np.ndarray]]:
    """Reads every frame of a video and hands out (seconds, RGB picture) of those a second apart."""
    video = cv2.VideoCapture(path)
    rate = video.get(cv2.CAP_PROP_FPS)
    taken_at, number = 0.0, 0
    try:
        while True:
            there, picture = video.read()
            if not there:
                return
            number += 1
            rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            seconds = number / rate
            if seconds - taken_at > SECONDS_BETWEEN_FRAMES:
                taken_at = seconds
                yield seconds, rgb
    finally:
        video.release()


def squares(picture: np.ndarray) -> list[np.ndarray]:
    """Squares half an edge apart, row by row, as many as fit."""
    height, width = picture.shape[:2]
    edge = min(SQUARE, height, width)
    step = max(1, edge // 2)
    rows = range(0, height - edge + 1, step)
    columns = range(0, width - edge + 1, step)
    return [picture[y : y + edge, x : x + edge] for y in rows for x in columns]


def build(model: Model, videos: list[str]) -> Index:
    vectors, paths, times = [], [], []
    frames, encoder_seconds = 0, 0.0
    for path in videos:
        for seconds, picture in sampled(path):
            frames += 1
            inputs = np.stack([model.prepare(square) for square in squares(picture)])
            started = time.perf_counter()
            vectors.append(model.encode_images(inputs))
            encoder_seconds += time.perf_counter() - started
            paths.extend([path] * len(inputs))
            times.extend([seconds] * len(inputs))
    if not vectors:
        raise SystemExit("Expected a video longer than a second, got none")
    return Index(np.concatenate(vectors), paths, times, frames, encoder_seconds)


def moments(index: Index, scores: np.ndarray, count: int, threshold: float, gap: float) -> list[dict]:
    """The best 10 * count squares over the threshold, less those too near in time to the one taken before them."""
    found: list[dict] = []
    for i in np.argsort(-scores)[: 10 * count]:
        if len(found) == count or scores[i] <= threshold:
            break
        if not found or abs(index.times[i] - found[-1]["t"]) > gap:
            found.append({"path": index.paths[i], "t": index.times[i], "score": float(scores[i])})
    return found


def ranking(index: Index, scores: np.ndarray) -> list[str]:
    """All videos by their best square."""
    return list(dict.fromkeys(index.paths[i] for i in np.argsort(-scores)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder with model.json")
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--query", default="a red car")
    parser.add_argument("-n", type=int, default=6, help="moments wanted (6)")
    parser.add_argument("--threshold", type=float, help="least score; default: the model's own")
    parser.add_argument("--gap", type=float, default=0.1, help="seconds between moments (0.1)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the encoder; default: one a core")
    parser.add_argument("--rank", type=Path, help="text file with one query a line: print the order of the videos too")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    started = time.perf_counter()
    model = Model(asked.model, asked.threads)
    loaded = time.perf_counter()
    index = build(model, asked.videos)
    indexed = time.perf_counter()

    def scores_of(words: str) -> np.ndarray:
        return 100 * (index.vectors @ model.encode_text(words))

    threshold = model.threshold if asked.threshold is None else asked.threshold
    found = moments(index, scores_of(asked.query), asked.n, threshold, asked.gap)
    result = {
        "videos": len(asked.videos),
        "frames": index.frames,
        "patches": len(index.vectors),
        "loadSeconds": loaded - started,
        "indexSeconds": indexed - loaded,
        "encoderSeconds": index.encoder_seconds,
        "searchSeconds": time.perf_counter() - indexed,
        "moments": found,
    }
    if asked.rank:
        result["rankings"] = [ranking(index, scores_of(words)) for words in asked.rank.read_text().splitlines()]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
