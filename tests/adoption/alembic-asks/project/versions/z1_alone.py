"""a line of its own"""
from alembic import op

revision = "z1"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE alone (id integer)")


def downgrade():
    op.execute("DROP TABLE alone")
