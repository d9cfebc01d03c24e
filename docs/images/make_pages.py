"""Makes the pictures of pages from a demo's study (`make demo` first), with headless Chromium.

python docs/images/make_pages.py demo-study
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
MAVFER = (sys.executable, "-m", "mavfer")
LAPTOP = {"width": 1280, "height": 720}
ANNOTATION = {
    "format": "mavfer.annotation",
    "version": 1,
    "sessions": ["P03-001"],
    "dimensions": ["arousal", "valence"],
    "mode": "together",
    "scale": "bounded",
    "input": ["pointer", "touch", "keyboard"],
    "streams_shown": ["color"],
    "feedback": "trace",
    "practice": None,
    "calibration_clip": False,
    "hidden_repeats": 0,
}


def main(study: Path) -> None:
    """Writes report.jpg, agreement.jpg and rating.jpg beside this script."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=LAPTOP)
        report(page, study)
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copytree(study, Path(folder) / "study")
            shutil.rmtree(copy / "annotator")
            (copy / "annotation.json").write_text(json.dumps(ANNOTATION), encoding="utf-8")
            agreement(page, copy)
            rating(page, copy)
        browser.close()


def report(page: Page, study: Path) -> None:
    """The scores, and what the networks say of a subject that they do not know."""
    page.goto((study / "reports" / "report.html").resolve().as_uri())
    parts = ["#result", "#ratings-and-label .plot", "#training-and-predictions .plot >> nth=1"]
    save("report.jpg", [page.locator(part).screenshot() for part in parts])


def agreement(page: Page, study: Path) -> None:
    """Who agrees with whom, and each rater's lag and values."""
    subprocess.check_call([*MAVFER, "agree", str(study)], stdout=subprocess.DEVNULL)
    page.goto((study / "reports" / "agreement.html").resolve().as_uri())
    parts = ["#raters-two-by-two", "#each-rater"]
    save("agreement.jpg", [page.locator(part).screenshot() for part in parts])


def rating(page: Page, study: Path) -> None:
    """The page on which raters rate, while a take is given."""
    invite = [*MAVFER, "annotate", "invite", str(study), "--rater", "R01", "--json"]
    serve = [*MAVFER, "annotate", "serve", str(study), "--port", "0", "--json"]
    server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
    try:
        server.stdout.readline()
        page.goto(json.loads(subprocess.check_output(invite, text=True))["url"])
        page.check("input[name=agree]")
        page.click("form.decide button")
        page.click("form.actions button")
        page.click("#go:enabled")
        page.wait_for_selector("#start:visible")
        page.click("#start")
        page.wait_for_selector("[data-state=playing]")
        plane = page.locator("#plane").bounding_box()
        for share in np.linspace(0.5, 0.72, 12):
            place = plane["x"] + plane["width"] * share, plane["y"] + plane["height"] * (1 - share)
            page.mouse.move(*place)
            page.wait_for_timeout(500)
        save("rating.jpg", [page.screenshot()])
    finally:
        server.terminate()
        server.wait()


def save(name: str, pngs: list[bytes]) -> None:
    """Pictures below each other as one JPEG."""
    pictures = [cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR) for png in pngs]
    width = max(picture.shape[1] for picture in pictures)
    padded = [
        cv2.copyMakeBorder(
            picture, 8, 8, 0, width - picture.shape[1], cv2.BORDER_CONSTANT, value=(255, 255, 255)
        )
        for picture in pictures
    ]
    cv2.imwrite(str(FOLDER / name), np.vstack(padded), [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
