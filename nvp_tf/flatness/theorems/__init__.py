"""What the theorems and sections of chapter 3 state, beside what is measured: one file each."""
