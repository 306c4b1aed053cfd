"""Plans, runs, schedules and stores experiments."""
