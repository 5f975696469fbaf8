"""The pages in a real browser: as people use them, with a keyboard, a phone, and axe looking on."""
