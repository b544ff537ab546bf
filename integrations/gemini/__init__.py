"""Gemini (the Developer API, by google-genai): a brain and a transcriber. Rules and shapes: contract gemini.md."""
