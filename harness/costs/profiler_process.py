"""The program that measures one variant once, in turns with other processes of the same program.

It reads a request as one line of JSON, and then works one turn for each line that it reads. So several processes take
turns, and a drift in the machine's speed affects all of them alike.
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
from harness.training.memory import is_exhausted


def main(output: IO[str]) -> None:
    """Carry out one request from standard input: ``{"variant": ..., "setting": ..., "seconds": ..., "turns": ...}``.

    Args:
        output: Receives a line ``{}`` when the imports are done, and at the end of each turn. The last line is
            ``{"repeat": ...}``, ``{"error": [what, where, remedy]}``, ``{"exhausted": message}`` or
            ``{"crash": traceback}``.
    """
    print("{}", file=output, flush=True)
    line = sys.stdin.readline()
    if not line:
        return
    request = json.loads(line)
    result: dict[str, Any]
    try:
        variant = TypeAdapter[AnyVariant](AnyVariant).validate_python(request["variant"])
        setting = CostSetting.model_validate(request["setting"])
        turns = measure_variant(variant, setting, request["seconds"], request["turns"])
        while True:
            next(turns)
            print("{}", file=output, flush=True)
            if not sys.stdin.readline():
                return
    except StopIteration as end:
        result = {"repeat": end.value.model_dump(mode="json")}
    except HarnessError as error:
        result = {"error": [error.what, error.where, error.remedy]}
    except Exception as error:
        message = str(error).strip().partition("\n")[0]
        result = {"exhausted": message} if is_exhausted(error) else {"crash": traceback.format_exc()}
    print(json.dumps(result), file=output, flush=True)


if __name__ == "__main__":
    # The results go to the original standard output. What a library or a child process prints goes to standard error.
    original_stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    main(original_stdout)
