"""The MLflow store itself: its address, whether it answers, its database and its errors."""
