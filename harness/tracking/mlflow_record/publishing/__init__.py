"""Publishing: the process that trains a trial sends its history and its model to the trial's run in MLflow."""
