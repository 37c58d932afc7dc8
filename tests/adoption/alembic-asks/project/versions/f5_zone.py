"""zones"""
from alembic import op

revision = "f5"
down_revision = "e4"


def upgrade():
    op.execute("CREATE TABLE zone (id integer)")


def downgrade():
    op.execute("DROP TABLE zone")
