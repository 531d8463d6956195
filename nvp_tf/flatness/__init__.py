"""How flat a minimum is, and what of that says nothing about the function (thesis chapter 3)."""
