"""A program that fits the model of `flights` with pyarrow and scikit-learn or statsmodels, as a
script would: flights_peer.py starts and times it. Prints coefficients and versions as JSON.
"""

import argparse
import json

import models
import pyarrow
import pyarrow.parquet

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--system", required=True, choices=models.MAKERS)
    parser.add_argument("--file", required=True)
    options = parser.parse_args()
    fit, version = models.MAKERS[options.system]()
    table = pyarrow.parquet.read_table(options.file, columns=["distance", "delay"])
    X = table["distance"].to_numpy().astype(float).reshape(-1, 1)
    y = table["delay"].to_numpy() > 15
    result = [float(v) for v in fit(X, y)]
    print(json.dumps({"result": result, "version": f"{version}, pyarrow {pyarrow.__version__}"}))
