"""Programs and what they expect of their platform: executables, host calls, device trees."""
