#!/usr/bin/env python3
"""What other routers' arithmetic costs for one prompt of 1 kB, beside docs/speed.md's figure for this program.

    python3 -m venv v && v/bin/pip install numpy scikit-learn && v/bin/python benches/beside.py

RouteLLM's matrix factorisation (github.com/lm-sys/RouteLLM, routers/matrix_factorization/model.py): an embedding of 1,536 numbers is
projected to 128, multiplied with each of two models' normalised vectors, and a linear layer makes a score of each. Weights are drawn, as
their values cost no time, and NumPy does the sums, which has less to do around them than PyTorch; the call for the embedding, which takes longer than all else, is left out. scikit-learn: TF-IDF of words and
pairs of words, and a logistic regression, trained on drawn texts. Medians of single prompts on one thread.
"""
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import random
import statistics
import time

import numpy
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def median(one, inputs):
    for given in inputs[:50]:
        one(given)
    took = []
    for given in inputs:
        start = time.perf_counter_ns()
        one(given)
        took.append(time.perf_counter_ns() - start)
    return statistics.median(took) / 1000


drawn = numpy.random.default_rng(1)
models = drawn.standard_normal((64, 128), dtype=numpy.float32)
project = drawn.standard_normal((128, 1536), dtype=numpy.float32) / 400
classify = drawn.standard_normal(128, dtype=numpy.float32)


def factorisation(embedding):
    pair = models[[3, 41]]
    pair = pair / numpy.linalg.norm(pair, axis=1, keepdims=True)
    scores = (pair * (project @ embedding)) @ classify
    return 1 / (1 + numpy.exp(scores[1] - scores[0]))


chance = random.Random(1)
words = ["".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(chance.randint(2, 9))) for _ in range(8000)]
texts = [" ".join(chance.choices(words, k=155))[:1024] for _ in range(2000)]
pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), max_features=1 << 16), LogisticRegression())
pipeline.fit(texts, [len(text) % 2 for text in texts])

embeddings = [drawn.standard_normal(1536, dtype=numpy.float32) for _ in range(2000)]
print(f"numpy {numpy.__version__}, scikit-learn {sklearn.__version__}")
print(f"RouteLLM's matrix factorisation, without its embedding: {median(factorisation, embeddings):.0f} us")
print(f"scikit-learn, TF-IDF and logistic regression, 1 kB: {median(lambda text: pipeline.predict_proba([text]), texts):.0f} us")
