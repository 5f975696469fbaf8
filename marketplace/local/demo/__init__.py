"""The demonstration: invented providers with sign-ins that everybody may know."""
