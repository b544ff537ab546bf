"""What a brain may call while it thinks (ports.Tool), bound to one org before the brain sees it."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from conversations import knowledge, prompts
from conversations.ports import Context, Snippet, Tool, ToolAnswer

QUERY_CHARS = 300
PASSAGES = 3
T = TypeVar("T")


class Run(Protocol):
    """Executes a plain function on a database thread, inside the org (`sdr.lib.jobs.Work.run`)."""

    async def __call__(self, function: Callable[..., T], *args: Any) -> T: ...


class KnowledgeSearch:
    """Looks up what the org knows, in other words than the lead's."""

    name = "knowledge.search"
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
    }

    def __init__(self, run: Run, *, language: str) -> None:
        self.description = prompts.load("knowledge_search").text
        self._run = run
        self._language = language

    async def call(self, arguments: Mapping[str, Any]) -> ToolAnswer:
        query = arguments.get("query")
        if not isinstance(query, str) or not query.strip():
            return ToolAnswer(False, "It needs a query.")
        found = await self._run(find, query.strip()[:QUERY_CHARS], self._language)
        passages = [{"id": one.id, "source": one.source, "heading": one.heading, "text": one.text} for one in found]
        return ToolAnswer(True, json.dumps(passages, ensure_ascii=False), tuple(one.id for one in found))


def find(query: str, language: str) -> tuple[Snippet, ...]:
    """Inside the org."""
    return knowledge.snippets_for(query, language=language, limit=PASSAGES)


def toolbox(context: Context, run: Run) -> tuple[Tool, ...]:
    """Everything a brain may call in this turn: an allow-list, made by us and not by what the lead writes."""
    return (KnowledgeSearch(run, language=context.language),)
