"""The mathematics: torch only, no files, no schedules."""
