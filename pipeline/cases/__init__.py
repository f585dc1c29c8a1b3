"""The third core: findings and alerts become tickets. Pure."""
