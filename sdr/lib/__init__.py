"""What every app stands on; knows no app of ours."""
