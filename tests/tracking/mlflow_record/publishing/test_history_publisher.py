"""What a complete history leaves in its run."""

import json
from pathlib import Path

from tracking.helpers import LAYERS, publish_all

from harness.tracking.metrics import METRICS


def test_history_publisher_stores_values_by_layer_as_an_artifact(sqlite_record, study, tmp_path):
    history, *_ = publish_all(sqlite_record, study)
    run_id = sqlite_record.read_trials()[history.id].run_id
    artifact = Path(sqlite_record.client.download_artifacts(run_id, "layers.json", str(tmp_path)))
    assert json.loads(artifact.read_text()) == {"2": LAYERS[2].model_dump(mode="json")}
    assert set(sqlite_record.client.get_run(run_id).data.metrics) <= set(METRICS)
    assert sqlite_record.read_histories([history.id]) == [history]
