"""What the policies of an identity allow: administrator rights, ways to more rights, decryption. Pure.

The question is always what somebody can do who holds the identity's credentials and nothing else."""
