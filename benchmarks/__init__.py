"""Speed, measured beside peers in the same run. Outside the package: nothing here is imported by Trinch."""
