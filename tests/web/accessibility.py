"""What axe finds on a page, in both themes."""

from playwright.async_api import Page

from tests.servers import REPOSITORY

AXE = REPOSITORY / "web/node_modules/axe-core/axe.min.js"


async def no_violations(page: Page, within: str = "html") -> None:
    """The page needs `reduced_motion="reduce"`: axe must not see a colour that is still changing."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    # The theme changes colours and nothing more.
    for scheme, options in (("dark", {"runOnly": ["color-contrast"]}), ("light", {})):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        report = await page.evaluate("([within, options]) => axe.run(within, options)", [within, options])
        violations = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in report["violations"]]
        assert not violations, (within, scheme, violations)


async def fits(page: Page) -> None:
    """Nothing is wider than the window."""
    assert await page.evaluate("document.documentElement.scrollWidth <= Math.ceil(visualViewport.width)")
