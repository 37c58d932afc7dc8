"""routes"""
from alembic import op

revision = "a2"
down_revision = "a1"


def upgrade():
    op.execute("CREATE TABLE route (id integer)")


def downgrade():
    op.execute("DROP TABLE route")
