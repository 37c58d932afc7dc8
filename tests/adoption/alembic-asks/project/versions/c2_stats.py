"""statistics"""
from alembic import op

revision = "c2"
down_revision = "a1"


def upgrade():
    op.execute("CREATE TABLE stats (n integer)")


def downgrade():
    op.execute("DROP TABLE stats")
