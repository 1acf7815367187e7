"""The program that measures one variant once, in turns with others of its kind.

A request comes as a line of JSON; then it works whenever a line arrives, and waits between: so several of them take
turns on one machine, whose speed drifts by more than what is to be told apart.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import IO, Any

from pydantic import TypeAdapter

from harness.costs.profiler import measure_variant
from harness.errors import HarnessError
from harness.specs.measured_cost import CostSetting
from harness.specs.network.any_variant import AnyVariant
from harness.training.memory_errors import is_exhausted


def main(answers: IO[str]) -> None:
    """Answer one request, ``{"variant": ..., "setting": ..., "seconds": ..., "turns": ...}``, in turns.

    A line ``{}`` says that the imports are done, and then that another process may have its turn. The last line is
    ``{"repeat": ...}``, ``{"error": [what, where, remedy]}``, ``{"exhausted": message}`` or ``{"crash": traceback}``.
    """
    print("{}", file=answers, flush=True)
    line = sys.stdin.readline()
    if not line:
        return
    request = json.loads(line)
    answer: dict[str, Any]
    try:
        variant = TypeAdapter[AnyVariant](AnyVariant).validate_python(request["variant"])
        setting = CostSetting.model_validate(request["setting"])
        work = measure_variant(variant, setting, request["seconds"], request["turns"])
        while True:
            next(work)
            print("{}", file=answers, flush=True)
            if not sys.stdin.readline():
                return
    except StopIteration as end:
        answer = {"repeat": end.value.model_dump(mode="json")}
    except HarnessError as error:
        answer = {"error": [error.what, error.where, error.remedy]}
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        answer = {"exhausted": first} if is_exhausted(error) else {"crash": traceback.format_exc()}
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    # Whatever else writes to standard output, a library or a process of its own, must not be taken for an answer.
    ours = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    main(ours)
