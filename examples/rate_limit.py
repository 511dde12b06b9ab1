"""Rate limit: ten messages a minute for each user; the error says when to retry.

On `/ws/chat`, the eleventh message is answered by
`{"type": "error", "code": "rate_limited", "retry_after": 5994, "message": "at most 10 in 60 s; come back in 6 s", …}`.
"""

from fastapi import FastAPI

from hubbub import Draft, Hubbub, RateLimit, run

hub = Hubbub(guests="on")
app = FastAPI()
app.include_router(hub.router)

limit = RateLimit(10, per=60)


@hub.before_message
def slow_down(draft: Draft) -> None:
    limit.take(draft.user)


if __name__ == "__main__":
    run(app)
