"""The same tests by ioos_qc, run by an interpreter that has it: arrays come and flags go as .npz (benchmarks/quality.py)."""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
from ioos_qc import qartod

warnings.simplefilter("ignore")


def judge(seconds: np.ndarray, value: np.ndarray, rules: dict[str, float]) -> dict[str, np.ndarray]:
    """Give the flags of each test (n,) of one window."""
    moments = (seconds * 1e9).astype("datetime64[ns]")
    months = [{"tspan": (month + 1, month + 1), "period": "month", "vspan": (rules["low"], rules["high"])} for month in range(12)]
    flags = {
        "gross_range": qartod.gross_range_test(
            value, (rules["fail_low"], rules["fail_high"]), (rules["suspect_low"], rules["suspect_high"])
        ),
        "timing_gap": qartod.time_gap_test(moments, rules["gap_s"] / 3600),
        "climatology": qartod.climatology_test(months, value, moments, np.full(len(value), np.nan)),
        "spike": qartod.spike_test(value, rules["spike_suspect"], rules["spike_fail"]),
        "rate_of_change": qartod.rate_of_change_test(value, moments, rules["rate_suspect"], rules["rate_fail"]),
        # "Less than" there, "at most" here: the next number above the tolerance says the same.
        "flat_line": qartod.flat_line_test(
            value, moments, int(rules["flat_suspect_s"]), int(rules["flat_fail_s"]), np.nextafter(rules["tolerance"], 1)
        ),
        # Its window leaves out its beginning, ours does not.
        "attenuated_signal": qartod.attenuated_signal_test(
            value, moments, rules["std_suspect"], rules["std_fail"], test_period=int(rules["std_s"]) + 1, min_obs=3
        ),
    }
    flags["aggregate"] = qartod.qartod_compare(list(flags.values()))
    return {name: np.ma.getdata(flag).astype(np.int8) for name, flag in flags.items()}


def main() -> None:
    """Judge windows (w, n) and say how many CPU seconds the fastest of some rounds took."""
    given = np.load(sys.argv[1])
    rules = {name: float(given[name]) for name in given.files if name not in ("seconds", "value")}
    windows = list(zip(given["seconds"], given["value"], strict=True))
    judged, took = [judge(*windows[0], rules)], []
    for _ in range(5):
        began = time.process_time()
        judged = [judge(*window, rules) for window in windows]
        took.append(time.process_time() - began)
    np.savez(sys.argv[2], took=min(took), **{name: np.stack([flags[name] for flags in judged]) for name in judged[0]})


if __name__ == "__main__":
    main()
