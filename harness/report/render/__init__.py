"""The leaderboard as CSV, Markdown, LaTeX and on the terminal."""
