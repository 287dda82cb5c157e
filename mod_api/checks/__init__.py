"""What an installation lacks: findings, made by asking and without changing anything."""
