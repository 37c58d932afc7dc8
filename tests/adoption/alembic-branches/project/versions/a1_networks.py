"""networks

Revision ID: a1
Revises:

"""
from alembic import op

revision = "a1"
down_revision = None
branch_labels = ("networking",)


def upgrade():
    op.execute("CREATE TABLE network (id integer)")
    op.execute("INSERT INTO network VALUES (1)")


def downgrade():
    op.execute("DROP TABLE network")
